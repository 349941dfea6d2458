"""One step of each cell, written from its paper for one row of the batch; weights a gate are separate matrices."""

import numpy as np

Row = np.ndarray


def logistic(x: Row) -> Row:
    return 1.0 / (1.0 + np.exp(-x))


def lstm(weights: dict[str, tuple], x: Row, state: dict[str, Row], squash=np.tanh, gate=logistic) -> dict[str, Row]:
    """Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000."""

    def net(name: str) -> Row:
        w, u, b = weights[name]
        return np.array([sum(x * w[:, k]) + sum(state["h"] * u[:, k]) + b[k] for k in range(len(b))])

    input_gate, forget_gate, output_gate = gate(net("i")), gate(net("f")), gate(net("o"))
    c = forget_gate * state["c"] + input_gate * squash(net("g"))
    return {"h": output_gate * squash(c), "c": c}


def gru_reset_after(weights: dict[str, tuple], x: Row, state: dict[str, Row]) -> dict[str, Row]:
    """Cho et al. 2014 with the reset applied to the product, as in cuDNN; the candidate has two biases."""
    h = state["h"]
    r, z = (logistic(x @ w + h @ u + b) for w, u, b in (weights["r"], weights["z"]))
    w, u, b, b_hidden = weights["n"]
    n = np.tanh(x @ w + b + r * (h @ u + b_hidden))
    return {"h": (1 - z) * n + z * h}


def gru_reset_before(weights: dict[str, tuple], x: Row, state: dict[str, Row]) -> dict[str, Row]:
    """Cho et al. 2014, eqs. 5-8: the reset is applied to the state."""
    h = state["h"]
    r, z = (logistic(x @ w + h @ u + b) for w, u, b in (weights["r"], weights["z"]))
    w, u, b = weights["n"]
    n = np.tanh(x @ w + (r * h) @ u + b)
    return {"h": z * h + (1 - z) * n}


def elman(weights: dict[str, tuple], x: Row, state: dict[str, Row], squash=np.tanh) -> dict[str, Row]:
    """Elman 1990."""
    w, u, b = weights["h"]
    return {"h": squash(x @ w + state["h"] @ u + b)}


def affine(weights: dict[str, tuple], gate: str, x: Row, h: Row) -> Row:
    """Of one gate, whose weights are (input, recurrent, bias)."""
    w, u, b = weights[gate]
    return x @ w + h @ u + b


def peephole(weights: dict, x: Row, state: dict[str, Row], coupled=False, clip=np.inf, g=np.tanh, h=np.tanh) -> dict:
    """Gers et al. 2002 with the omissions of Greff et al. 2017: a gate without weights is 1; no peephole is 0."""
    eyes = weights["peepholes"]

    def gate(name: str, c: Row) -> Row:
        if name not in weights:
            return np.ones_like(c)
        return logistic(np.clip(affine(weights, name, x, state["h"]) + eyes.get(name, 0.0) * c, -clip, clip))

    i = gate("i", state["c"])
    f = 1 - i if coupled else gate("f", state["c"])
    c = f * state["c"] + i * g(np.clip(affine(weights, "g", x, state["h"]), -clip, clip))
    return {"h": gate("o", c) * h(c), "c": c}


def full_gate(weights: dict, x: Row, state: dict[str, Row]) -> dict[str, Row]:
    """Greff et al. 2017, appendix A, FGR: nine more matrices, from each gate of the last step to each gate."""
    size = len(state["h"])
    last = {name: state["r"][k * size : (k + 1) * size] for k, name in enumerate("ifo")}

    def gate(name: str, c: Row) -> Row:
        net = affine(weights, name, x, state["h"]) + weights["peepholes"][name] * c
        return logistic(net + sum(last[other] @ weights[other + name] for other in "ifo"))

    i, f = gate("i", state["c"]), gate("f", state["c"])
    c = f * state["c"] + i * np.tanh(affine(weights, "g", x, state["h"]))
    o = gate("o", c)
    return {"h": o * np.tanh(c), "c": c, "r": np.concatenate([i, f, o])}


def projected(weights: dict, x: Row, state: dict[str, Row], cell_clip=np.inf, projection_clip=np.inf) -> dict[str, Row]:
    """Sak et al. 2014 without peepholes."""
    i, f, o = (logistic(affine(weights, name, x, state["h"])) for name in "ifo")
    c = np.clip(f * state["c"] + i * np.tanh(affine(weights, "g", x, state["h"])), -cell_clip, cell_clip)
    return {"h": np.clip((o * np.tanh(c)) @ weights["projection"], -projection_clip, projection_clip), "c": c}


def layer_norm_lstm(weights: dict, x: Row, state: dict[str, Row], epsilon=1e-5) -> dict[str, Row]:
    """Ba et al. 2016, eqs. 20-22; here the four gates are one vector, as the norm sees them."""

    def norm(a: Row, gain: Row) -> Row:
        spread = np.sqrt(sum((v - sum(a) / len(a)) ** 2 for v in a) / len(a) + epsilon)
        return gain * (a - sum(a) / len(a)) / spread

    net = norm(x @ weights["x"], weights["gain_x"]) + norm(state["h"] @ weights["h"], weights["gain_h"]) + weights["b"]
    i, f, g, o = np.split(net, 4)
    c = logistic(f) * state["c"] + logistic(i) * np.tanh(g)
    return {"h": logistic(o) * np.tanh(norm(c, weights["gain_c"]) + weights["bias_c"]), "c": c}


def ur_lstm(weights: dict, x: Row, state: dict[str, Row]) -> dict[str, Row]:
    """Gu et al. 2020: the refine gate moves f within the band between f^2 and 1 - (1 - f)^2."""
    f, o = logistic(affine(weights, "f", x, state["h"])), logistic(affine(weights, "o", x, state["h"]))
    effective = f
    if "r" in weights:
        r = logistic(affine(weights, "r", x, state["h"]))
        effective = f + f * (1 - f) * (2 * r - 1)
    c = effective * state["c"] + (1 - effective) * np.tanh(affine(weights, "g", x, state["h"]))
    return {"h": o * np.tanh(c), "c": c}


def lstm_1997(weights: dict, x: Row, state: dict[str, Row], block: int) -> dict[str, Row]:
    """Hochreiter & Schmidhuber 1997: cell v of block j has that block's gates."""
    i, o = logistic(affine(weights, "i", x, state["h"])), logistic(affine(weights, "o", x, state["h"]))
    g = 4 * logistic(affine(weights, "g", x, state["h"])) - 2
    c = np.array([state["c"][v] + i[v // block] * g[v] for v in range(len(g))])
    h = np.array([o[v // block] * (2 * logistic(c[v]) - 1) for v in range(len(g))])
    return {"h": h, "c": c}


def mgu(weights: dict, x: Row, state: dict[str, Row]) -> dict[str, Row]:
    """Zhou et al. 2016."""
    h = state["h"]
    f = logistic(affine(weights, "f", x, h))
    return {"h": (1 - f) * h + f * np.tanh(affine(weights, "n", x, f * h))}


def indrnn(weights: dict, x: Row, state: dict[str, Row], squash) -> dict[str, Row]:
    """Li et al. 2018."""
    return {"h": squash(x @ weights["w"] + weights["u"] * state["h"] + weights["b"])}


def multiplicative(weights: dict, x: Row, state: dict[str, Row]) -> dict[str, Row]:
    """Krause et al. 2016: an LSTM whose recurrent input is m."""
    m = (x @ weights["xm"]) * (state["h"] @ weights["hm"])
    return lstm(weights, x, {"h": m, "c": state["c"]})


def conv_lstm(weights: dict, x: Row, state: dict[str, Row]) -> dict[str, Row]:
    """Shi et al. 2015 on an image [*space, C]; place by place, zeros outside."""
    kernel_x, kernel_h, b, eyes = (weights[name] for name in ("x", "h", "b", "peepholes"))

    def conv(image: Row, kernel: Row) -> Row:
        out = np.zeros((*image.shape[:-1], kernel.shape[-1]))
        for place in np.ndindex(*image.shape[:-1]):
            for tap in np.ndindex(*kernel.shape[:-2]):
                # A kernel of even size reaches one further to the end.
                at = tuple(p + t - (size - 1) // 2 for p, t, size in zip(place, tap, kernel.shape, strict=False))
                if all(0 <= a < n for a, n in zip(at, image.shape, strict=False)):
                    out[place] += image[at] @ kernel[tap]
        return out

    i, f, g, o = np.split(conv(x, kernel_x) + conv(state["h"], kernel_h) + b, 4, axis=-1)
    p_i, p_f, p_o = np.split(eyes, 3, axis=-1)
    i, f = logistic(i + p_i * state["c"]), logistic(f + p_f * state["c"])
    c = f * state["c"] + i * np.tanh(g)
    return {"h": logistic(o + p_o * c) * np.tanh(c), "c": c}
