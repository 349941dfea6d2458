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
