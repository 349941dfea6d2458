"""What is timed: a shape, a cell and a mode, with the same numbers in every framework."""

import dataclasses
from typing import Any

import numpy as np

SHAPES = {
    "small": (32, 100, 32, 64),
    "copy": (64, 220, 10, 128),
    "adding": (32, 1000, 2, 128),
    "mid": (64, 200, 128, 256),
    "ptb": (20, 35, 650, 650),
}
"""Batch B, steps T, input size D, hidden size H."""
MODES = ("train", "forward", "stream")


@dataclasses.dataclass(frozen=True)
class Case:
    """One thing to time."""

    shape: tuple[int, int, int, int]
    """B, T, D, H."""
    mode: str = "train"
    """train: the mean of the squared outputs and its gradient for all parameters; forward: the outputs; stream: T calls
    of one step, each with the state of the one before."""
    cell: str = "lstm"
    layers: int = 1
    both: bool = False
    """Bidirectional."""
    name: str = ""

    @property
    def label(self) -> str:
        """For tables."""
        extra = f" {self.layers} layers" * (self.layers > 1) + " bidirectional" * self.both
        return (self.name or ",".join(map(str, self.shape))) + extra

    def to_json(self) -> dict[str, Any]:
        """What `Case.of` takes."""
        return dataclasses.asdict(self)

    @classmethod
    def of(cls, content: dict[str, Any]) -> "Case":
        """From JSON."""
        return cls(**{**content, "shape": tuple(content["shape"])})

    @property
    def parts(self) -> list[tuple[int, bool]]:
        """Input size and direction (backwards or not) of every recurrence, the first layer first."""
        _, _, d, h = self.shape
        below = h * (1 + self.both)
        return [
            (below if layer else d, back) for layer in range(self.layers) for back in (False, True)[: 1 + self.both]
        ]


def parse_shape(text: str) -> tuple[str, tuple[int, int, int, int]]:
    """Name and shape from a name or ``B,T,D,H``."""
    if text in SHAPES:
        return text, SHAPES[text]
    numbers = text.split(",")
    if len(numbers) != 4 or not all(number.isdigit() and int(number) for number in numbers):
        raise ValueError(f"{text!r} is no shape: give one of {', '.join(SHAPES)}, or B,T,D,H such as 32,100,8,64.")
    b, t, d, h = map(int, numbers)
    return text, (b, t, d, h)


def work(case: Case) -> float:
    """Floating-point operations in matrix products: forward, and for train the gradients of all parameters.

    Those of a training step are 2 T B 4H (2D + 3H) for one layer; a layer above another one must pass on the gradient
    of its inputs, too.
    """
    b, t, _, h = case.shape
    total = 0
    for number, (d, _) in enumerate(case.parts):
        inputs = 3 if number > case.both else 2  # only the first layer's inputs need no gradient
        total += 2 * t * b * 4 * h * (inputs * d + 3 * h if case.mode == "train" else d + h)
    return total


def arrays(case: Case) -> tuple[np.ndarray, list[dict[str, np.ndarray]]]:
    """Inputs ``[T, B, D]``, and for every recurrence ``w_x``, ``w_h`` and ``b`` in lstm_jax's layout (i, f, g, o)."""
    b, t, d, h = case.shape
    rng = np.random.default_rng(0)

    def draw(*shape: int, scale: float) -> np.ndarray:
        return rng.uniform(-scale, scale, shape).astype(np.float32)

    scale = h**-0.5
    weights = [
        {"w_x": draw(size, 4 * h, scale=scale), "w_h": draw(h, 4 * h, scale=scale), "b": draw(4 * h, scale=scale)}
        for size, _ in case.parts
    ]
    return draw(t, b, d, scale=1.0), weights
