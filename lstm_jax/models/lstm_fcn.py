"""LSTM-FCN: a recurrent and a convolutional view of a series, side by side.

Karim, Majumdar, Darabi & Chen 2018, "LSTM Fully Convolutional Networks for Time Series Classification"
(arXiv:1709.05206), figure 1; for several channels Karim et al. 2019, "Multivariate LSTM-FCNs" (arXiv:1801.04503).

Deviations: the cells read the series step by step, however long it is, unless the paper's dimension shuffle is asked
for, which hands a channel to them as one step; no squeeze and excite; batch normalisation with a momentum of 0.9 and an
epsilon of 1e-5 (Keras, in which the authors wrote it, has 0.99 and 1e-3). A sequence that ends early is answered as if
it had been cut there: behind its end each convolution sees the zeros that it sees behind any sequence, and batch
normalisation leaves it out.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from lstm_jax.cell import Cell
from lstm_jax.cells.lstm import LSTM
from lstm_jax.models.encoder import SequenceModel
from lstm_jax.models.losses import ACCURACY, CROSS_ENTROPY
from lstm_jax.models.pooling import Pool
from lstm_jax.options import positive

MOMENTUM = 0.9
"""What a step leaves of the running statistics: they are those of the last few steps, in short trainings too."""


class LSTMFCN(SequenceModel):
    """Class of a sequence from recurrent layers (their last output, dropped out) and convolutions (their mean).

    ``LSTMFCN(classes=3).init(key, xs)`` gives the variables, ``.apply(variables, xs)`` the logits ``[*batch, classes]``
    for ``xs [T, *batch, D]``. In training, batch normalisation takes the statistics of the batch:
    ``.apply(variables, xs, mutable=["batch_stats"])`` gives the logits and the running statistics, which normalise
    elsewhere.
    """

    LOSS = CROSS_ENTROPY
    SCORES = (ACCURACY,)
    EVERY_STEP = False

    cells: tuple[Cell, ...] = (LSTM(8),)
    """The recurrent layers, the first one first."""
    classes: int = 2
    """How many classes there are."""
    filters: tuple[int, ...] = (128, 256, 128)
    """Filters of each convolution, the first one first."""
    kernels: tuple[int, ...] = (8, 5, 3)
    """Steps that each convolution sees."""
    shuffled_steps: int | None = None
    """The paper's dimension shuffle: the recurrent layers read channel by channel, each as so many numbers, those of
    all its steps (behind a sequence's end zeros), and know where in time something is; None: step by step."""
    dropout: float = 0.8
    """Rate on embedded tokens, and on the outputs of the recurrent layers; the paper's."""

    @nn.compact
    def __call__(self, xs: jax.Array, *, lengths: jax.Array | None = None) -> jax.Array:
        """Logits for each sequence.

        Args:
            xs: inputs ``[T, *batch, D]``, time first.
            lengths: ``[*batch]``, how many steps of each row count; without it, all T.

        Returns:
            ``[*batch, classes]``.

        Raises:
            ValueError: there is no cell, ``classes`` is no whole number of at least 1, or not a kernel for each of
                ``filters``; or a sequence is longer than ``shuffled_steps``.
        """
        positive("classes", self.classes)
        if len(self.filters) != len(self.kernels):
            raise ValueError(
                f"There must be a kernel for each of the {len(self.filters)} filters; kernels={self.kernels}."
            )
        xs = self.embed(xs)
        inside, mask = jnp.array(True), None
        if lengths is not None:
            inside = mask = (jnp.arange(len(xs)).reshape(-1, *(1,) * lengths.ndim) < lengths)[..., None]
        running = not self.is_mutable_collection("batch_stats")
        ys = jnp.where(inside, xs, 0)  # padding may hold anything, NaN too
        if self.shuffled_steps is None:
            recurrent = Pool("last")(self.encode(xs, lengths), lengths)
        else:
            recurrent = self.encode(_shuffled(ys, positive("shuffled_steps", self.shuffled_steps)), None)[-1]
        for number, (filters, kernel) in enumerate(zip(self.filters, self.kernels, strict=True)):
            # Without a bias, which normalisation takes out again: Adam would drive it about on rounding errors.
            # As a matrix product: XLA's convolutions are 50 times slower in a `lax.scan` on a CPU, as training is.
            ys = nn.Dense(filters, use_bias=False, name=f"conv_{number}")(_taps(ys, kernel))
            normal = nn.BatchNorm(running, momentum=MOMENTUM, name=f"norm_{number}")(ys, mask=mask)
            ys = jnp.where(inside, nn.relu(normal), 0)
        convolved = Pool("mean")(ys, lengths)
        return nn.Dense(self.classes)(jnp.concatenate([recurrent, convolved], axis=-1))


def _shuffled(xs: jax.Array, steps: int) -> jax.Array:
    """``[T, *batch, D]`` as ``[D, *batch, steps]``."""
    if len(xs) > steps:
        raise ValueError(f"The sequences have {len(xs)} steps, more than shuffled_steps={steps}.")
    padded = jnp.pad(xs, [(0, steps - len(xs)), *[(0, 0)] * (xs.ndim - 1)])
    return jnp.swapaxes(padded, 0, -1)


def _taps(xs: jax.Array, kernel: int) -> jax.Array:
    """What a convolution sees at each step, ``[T, *batch, kernel * D]``, the earliest first; zeros beyond both ends."""
    before = (kernel - 1) // 2
    padded = jnp.pad(xs, [(before, kernel - 1 - before), *[(0, 0)] * (xs.ndim - 1)])
    return jnp.concatenate([padded[tap : tap + len(xs)] for tap in range(kernel)], axis=-1)
