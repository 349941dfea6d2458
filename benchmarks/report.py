"""The tables and pictures of a benchmark, from its JSON file alone."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

OURS = "lstm_jax_cores"
JAX_PEERS = ("flax_linen", "flax_nnx", "haiku", "equinox", "keras_jax")
TITLES = {
    "lstm_jax_cores": "lstm_jax",
    "lstm_jax_one": "lstm_jax, one device",
    "plain_scan": "plain lax.scan",
    "flax_linen": "Flax linen",
    "flax_nnx": "Flax nnx",
    "haiku": "Haiku",
    "equinox": "Equinox",
    "keras_jax": "Keras on JAX",
    "pytorch": "PyTorch",
}


def markdown(content: dict[str, Any]) -> str:
    """Everything that was measured."""
    environment = ", ".join(f"{key} {value}" for key, value in content["environment"].items())
    parts = [f"Measured {content['date']} by `{content['command']}`.\n\n{environment}."]
    if content["peak_gflops"]:
        parts.append(
            f"Peak in the same run: {content['peak_gflops']:.0f} GFLOP/s (one product of 2048 x 2048 float32)."
        )
    for mode, cases in content["speed"].items():
        parts.append(f"## {mode}\n\n{_speed(mode, cases)}")
    for what, found in content["alone"].items():
        parts.append(f"## {what}\n\n" + "\n\n".join(_alone(name, values) for name, values in found.items()))
    return "\n\n".join(parts) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines)


def _speed(mode: str, cases: dict[str, Any]) -> str:
    names = [name for name in TITLES if any(name in case for case in cases.values())]
    unit = "us a step" if mode == "stream" else "ms"
    rows, ratios = [], []
    for label, case in cases.items():
        told = [_time(case.get(name), mode) for name in names]
        rows.append([label, *told])
        ours = case.get(OURS) or case.get("lstm_jax_one")
        if ours and not ours["error"]:
            peers = [case[n]["ratio"] for n in JAX_PEERS if n in case and not case[n]["error"]]
            torch = case.get("pytorch")
            share = f"{100 * ours['share']:.0f}%" if ours["share"] else ""
            ratios.append(
                [
                    label,
                    share,
                    f"{torch['ratio']:.2f}" if torch and not torch["error"] else "",
                    f"{min(peers):.2f}" if peers else "",
                ]
            )
    times = _table(["B,T,D,H", *(TITLES[name] for name in names)], rows)
    against = _table(
        ["", "share of the peak", "PyTorch takes (times)", "fastest of the JAX peers takes (times)"], ratios
    )
    return (
        f"Best (median) {unit}:\n\n{times}\n\nlstm_jax's best against the others', median over the rounds:\n\n{against}"
    )


def _time(timing: dict[str, Any] | None, mode: str) -> str:
    if timing is None:
        return ""
    if timing["error"]:
        return f"({timing['error']})"
    scale = 1e6 / timing["steps"] if mode == "stream" else 1e3
    return f"{timing['best'] * scale:.3g} ({timing['median'] * scale:.3g})"


def _alone(name: str, values: dict[str, Any]) -> str:
    plain = {key: value for key, value in values.items() if not isinstance(value, dict)}
    tables = {key: value for key, value in values.items() if isinstance(value, dict)}
    told = [f"**{name}**" + "".join(f"; {key}: {_number(value)}" for key, value in plain.items())]
    if tables:
        head = list(next(iter(tables.values())))
        rows = [[key, *(_number(value.get(column, "")) for column in head)] for key, value in tables.items()]
        told.append(_table(["", *head], rows))
    return "\n\n".join(told)


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def pictures(content: dict[str, Any], folder: Path) -> list[Path]:
    """Share of the peak by shape; time of a step against H and T, where they were measured."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = []
    train = {label: case for label, case in content["speed"].get("train", {}).items() if OURS in case}
    if train and content["peak_gflops"]:
        figure = Figure(figsize=(9, 4.2), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        names = [name for name in TITLES if any(name in case and not case[name]["error"] for case in train.values())]
        width = 0.85 / len(names)
        for at, name in enumerate(names):
            shares = [
                100 * case[name]["share"] if name in case and not case[name]["error"] else 0 for case in train.values()
            ]
            colour = "#c44e1f" if name == OURS else None
            places = [index + (at - len(names) / 2 + 0.5) * width for index in range(len(train))]
            axes.bar(places, shares, width, label=TITLES[name], color=colour or f"C{at}", alpha=1 if colour else 0.55)
        axes.set_xticks(range(len(train)), [f"{label}\n{_shape(case)}" for label, case in train.items()])
        axes.set_ylabel("% of the matrix-product peak")
        axes.set_title("A training step: share of the machine's float32 peak", loc="left", fontsize=11)
        axes.grid(axis="y", alpha=0.25)
        figure.legend(loc="outside lower center", ncols=5, frameon=False, fontsize=8)
        made.append(_saved(figure, folder / "share_of_peak.png"))
    if "scaling" in content["alone"]:
        figure = Figure(figsize=(9, 3.6), layout="constrained")
        FigureCanvasAgg(figure)
        for axes, (key, other) in zip(
            figure.subplots(1, 2), (("T", "B 32, D 2, H 64"), ("H", "B 32, T 100, D = H")), strict=True
        ):
            points = {int(k): v["best_ms"] for k, v in content["alone"]["scaling"][key].items()}
            steps = {k: v * 1e3 / (k if key == "T" else 100) for k, v in points.items()}
            axes.plot(list(steps), list(steps.values()), "o-", color="#c44e1f")
            axes.set_xscale("log", base=2 if key == "H" else 10)
            axes.set_yscale("linear" if key == "T" else "log")
            axes.set_ylim(bottom=0 if key == "T" else None)
            axes.set_xlabel(key)
            axes.set_ylabel("microseconds a step")
            axes.set_title(f"A training step against {key} ({other})", loc="left", fontsize=10)
            axes.grid(alpha=0.25)
        made.append(_saved(figure, folder / "scaling.png"))
    return made


def _shape(case: dict[str, Any]) -> str:
    return ",".join(map(str, next(iter(case.values()))["shape"]))


def _saved(figure: Any, path: Path) -> Path:
    figure.savefig(path, dpi=130)
    return path
