"""The LSTM on images: its products are convolutions.

Shi et al. 2015, "Convolutional LSTM Network: A Machine Learning Approach for Precipitation Nowcasting", eq. 3, on 1 to
3 spatial dimensions; ``conv`` keeps the image's size, zeros around it::

    i, f, g, o = split(conv(x_t, W_x) + conv(h_{t-1}, W_h) + b)
    i = sigmoid(i + p_i * c_{t-1}), f = sigmoid(f + p_f * c_{t-1})
    c_t = f * c_{t-1} + i * tanh(g)
    h_t = sigmoid(o + p_o * c_t) * tanh(c_t)

Deviation: peepholes, one weight for each place and channel, are off by default, as in Keras.
"""

from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import struct

from lstm_jax.cell import Array, BatchShape, GatedCell, Key, check_settings
from lstm_jax.cells.activations import once
from lstm_jax.cells.lstm import LSTMState
from lstm_jax.initializers import Initializer, glorot, orthogonal
from lstm_jax.options import positive


@struct.dataclass
class ConvLSTMParams:
    """Parameters of a `ConvLSTM`; gates in the order i, f, g, o."""

    w_x: Array
    """Kernels of the input ``[*kernel, C_in, 4C]``."""
    w_h: Array
    """Kernels of the state ``[*kernel, C, 4C]``."""
    b: Array
    """Bias ``[4C]``."""
    p: Array | None
    """Peepholes of i, f, o ``[*space, 3C]``, or None."""


@dataclass(frozen=True)
class ConvLSTM(GatedCell):
    """A ConvLSTM layer: inputs ``[T, *batch, *space, C_in]`` to outputs ``[T, *batch, *space, C]``."""

    hidden_size: int
    """C, channels of the state."""
    space: tuple[int, ...]
    """Size of the image in each of its 1 to 3 dimensions, such as (32, 32)."""
    _: KW_ONLY
    kernel_size: int = 3
    """Size of the kernels in each dimension."""
    peepholes: bool = False
    """Whether the gates see the cell state."""
    forget_bias: float = 1.0
    """Initial bias of the forget gate; part of ``b``."""
    param_dtype: str = "float32"
    dtype: str | None = None
    state_type: ClassVar[type] = LSTMState

    def __post_init__(self) -> None:
        if isinstance(self.space, list):
            object.__setattr__(self, "space", tuple(self.space))
        check_settings(self)
        if not isinstance(self.space, tuple) or not 1 <= len(self.space) <= 3:
            raise ValueError(f"space must be 1 to 3 sizes of an image, such as (32, 32), got {self.space!r}.")
        for size in self.space:
            positive("space", size)
        positive("kernel_size", self.kernel_size)

    @property
    def feature_axes(self) -> int:
        """The spatial dimensions and the channels."""
        return len(self.space) + 1

    def init(self, key: Key, input_size: int) -> ConvLSTMParams:
        """Glorot kernels for ``input_size`` channels, orthogonal recurrent kernels a gate; peepholes zero."""
        positive("input_size", input_size)
        channels, dtype = self.hidden_size, self.param_dtype
        key_x, key_h = jax.random.split(key)

        def drawn(init: Initializer, key: Key, rows: int) -> Array:
            shape = (*(self.kernel_size for _ in self.space), rows, channels)
            return jnp.concatenate([init(k, shape, "float32") for k in jax.random.split(key, 4)], axis=-1).astype(dtype)

        return ConvLSTMParams(
            w_x=drawn(glorot, key_x, input_size),
            w_h=drawn(orthogonal, key_h, channels),
            b=jnp.zeros(4 * channels, dtype).at[channels : 2 * channels].set(self.forget_bias),
            p=jnp.zeros((*self.space, 3 * channels), dtype) if self.peepholes else None,
        )

    def initial_state(self, params: ConvLSTMParams, batch_shape: BatchShape) -> LSTMState:
        return GatedCell.initial_state(self, params, (*batch_shape, *self.space))

    def project(self, params: ConvLSTMParams, xs: Array, *, keys: Key | None = None) -> Array:
        """``conv(x, W_x) + b`` for all steps at once."""
        del keys
        given = xs.shape[xs.ndim - self.feature_axes : -1]
        if given != self.space:
            raise ValueError(f"xs are images of {list(given)}, but this ConvLSTM has space={self.space}.")
        zs = self._conv(xs.astype(self.compute_dtype(params)), params.w_x)
        return zs + jnp.broadcast_to(params.b.astype(zs.dtype), zs.shape)

    def mix(self, params: ConvLSTMParams, state: LSTMState) -> Array:
        """``conv(h, W_h)``."""
        return self._conv(state.h, params.w_h)

    def update(self, params: ConvLSTMParams, a: Array, state: LSTMState, candidate: Array | None = None) -> LSTMState:
        """``c = f * c + i * g``, ``h = o * tanh(c)``."""
        i, f, g, o = jnp.split(a.astype(state.c.dtype), 4, axis=-1)
        p_i = p_f = p_o = jnp.zeros_like(g)
        if params.p is not None:
            p = jnp.broadcast_to(params.p.astype(g.dtype), (*g.shape[:-1], 3 * self.hidden_size))
            p_i, p_f, p_o = jnp.split(p, 3, axis=-1)
            i, f = i + p_i * state.c, f + p_f * state.c
        i, f = jnp.split(once(jax.nn.sigmoid(jnp.concatenate([i, f], axis=-1))), 2, axis=-1)
        g = once(jnp.tanh(g))
        c = f * state.c + i * (g if candidate is None else g * candidate)
        o = once(jax.nn.sigmoid(o if params.p is None else o + p_o * c))
        return LSTMState(h=(o * once(jnp.tanh(c))).astype(state.h.dtype), c=c)

    def _conv(self, images: Array, kernel: Array) -> Array:
        """``images [..., *space, C_in]`` to ``[..., *space, F]``."""
        letters = "XYZ"[: len(self.space)]
        flat = images.reshape(-1, *images.shape[images.ndim - self.feature_axes :])
        out = jax.lax.conv_general_dilated(
            flat,
            kernel.astype(images.dtype),
            window_strides=[1] * len(self.space),
            padding="SAME",
            dimension_numbers=(f"N{letters}C", f"{letters}IO", f"N{letters}C"),
        )
        return out.reshape(*images.shape[:-1], out.shape[-1])
