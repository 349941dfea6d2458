"""PyTorch: `torch.nn.LSTM` with all threads, and `torch.nn.LSTMCell` for streams."""

import os

import numpy as np
import torch

from benchmarks.cases import Case, arrays
from benchmarks.frameworks import Timed

torch.set_num_threads(len(os.sched_getaffinity(0)))


def build(case: Case) -> Timed:
    """It has two biases; the second one is zero."""
    xs, weights = arrays(case)
    _, _, d, h = case.shape
    inputs = torch.from_numpy(xs)
    if case.mode == "stream":
        return stream(torch.nn.LSTMCell(d, h), inputs, weights[0])
    lstm = torch.nn.LSTM(d, h, num_layers=case.layers, bidirectional=case.both)
    suffixes = [f"l{n // (1 + case.both)}{'_reverse' * back}" for n, (_, back) in enumerate(case.parts)]
    for suffix, part in zip(suffixes, weights, strict=True):
        fill(lstm, suffix, part)

    def forward() -> torch.Tensor:
        with torch.no_grad():
            return lstm(inputs)[0]

    def step() -> None:
        lstm.zero_grad(set_to_none=True)
        lstm(inputs)[0].square().mean().backward()

    def result() -> dict[str, np.ndarray]:
        found = {"outputs": forward().numpy()}
        if case.mode == "train":
            step()
            for number, suffix in enumerate(suffixes):
                x, hidden, b = (
                    getattr(lstm, f"{name}_{suffix}").grad.numpy() for name in ("weight_ih", "weight_hh", "bias_ih")
                )
                found |= {f"w_x.{number}": x.T, f"w_h.{number}": hidden.T, f"b.{number}": b}
        return found

    return Timed(step if case.mode == "train" else forward, result)


def fill(module: torch.nn.Module, suffix: str, part: dict[str, np.ndarray]) -> None:
    """Set one recurrence's weights."""
    end = f"_{suffix}" if suffix else ""
    with torch.no_grad():
        getattr(module, f"weight_ih{end}").copy_(torch.from_numpy(part["w_x"].T.copy()))
        getattr(module, f"weight_hh{end}").copy_(torch.from_numpy(part["w_h"].T.copy()))
        getattr(module, f"bias_ih{end}").copy_(torch.from_numpy(part["b"]))
        getattr(module, f"bias_hh{end}").zero_()


def stream(cell: torch.nn.LSTMCell, inputs: torch.Tensor, part: dict[str, np.ndarray]) -> Timed:
    """One step after another."""
    fill(cell, "", part)
    steps = list(inputs)
    zeros = torch.zeros(inputs.shape[1], part["w_h"].shape[0])

    def run() -> list[torch.Tensor]:
        state, ys = (zeros, zeros), []
        with torch.inference_mode():
            for x in steps:
                state = cell(x, state)
                ys.append(state[0])
        return ys

    return Timed(run, lambda: {"outputs": torch.stack(run()).numpy()})
