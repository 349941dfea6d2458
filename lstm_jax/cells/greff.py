"""The variants of an ablation study, each the LSTM with peepholes but for one thing.

Greff et al. 2017, "LSTM: A Search Space Odyssey", appendix A; V, the one that they start from, is `PeepholeLSTM`::

    NIG   i = 1                 no input gate
    NFG   f = 1                 no forget gate
    NOG   o = 1                 no output gate
    NIAF  g is not squashed     no input activation function
    NOAF  c is not squashed     no output activation function
    CIFG  f = 1 - i             coupled input and forget gate
    NP    p = 0                 no peepholes
    FGR   gates see gates       full gate recurrence: `FullGateLSTM`

Deviations: none.
"""

from dataclasses import KW_ONLY, dataclass

from lstm_jax.cells.peephole import PeepholeLSTM


@dataclass(frozen=True)
class NIG(PeepholeLSTM):
    """The LSTM with peepholes, without an input gate."""

    _: KW_ONLY
    without: tuple[str, ...] = ("i",)
    """Gates that are left out, always open."""


@dataclass(frozen=True)
class NFG(PeepholeLSTM):
    """The LSTM with peepholes, without a forget gate."""

    _: KW_ONLY
    without: tuple[str, ...] = ("f",)
    """Gates that are left out, always open."""


@dataclass(frozen=True)
class NOG(PeepholeLSTM):
    """The LSTM with peepholes, without an output gate."""

    _: KW_ONLY
    without: tuple[str, ...] = ("o",)
    """Gates that are left out, always open."""


@dataclass(frozen=True)
class NIAF(PeepholeLSTM):
    """The LSTM with peepholes, without an input activation function."""

    _: KW_ONLY
    activation: str = "identity"
    """Squashes g."""


@dataclass(frozen=True)
class NOAF(PeepholeLSTM):
    """The LSTM with peepholes, without an output activation function."""

    _: KW_ONLY
    output_activation: str = "identity"
    """Squashes the cell state on its way out."""


@dataclass(frozen=True)
class CIFG(PeepholeLSTM):
    """The LSTM with peepholes, its input and forget gate coupled."""

    _: KW_ONLY
    coupled: bool = True
    """Forget what the input gate lets in, f = 1 - i."""


@dataclass(frozen=True)
class NP(PeepholeLSTM):
    """The LSTM with peepholes, without them: `LSTM` by another name."""

    _: KW_ONLY
    peepholes: bool = False
    """Whether the gates see the cell state."""
