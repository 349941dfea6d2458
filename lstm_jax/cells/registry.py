"""All cells by name: one line a cell, for Python, the command line (``cell:gru``) and docs/cells.md."""

import inspect
import re
import textwrap
from dataclasses import MISSING, dataclass, fields
from typing import Any, get_args

import jax

from lstm_jax.cell import Cell
from lstm_jax.cells.conv_lstm import ConvLSTM
from lstm_jax.cells.elman import IRNN, Elman
from lstm_jax.cells.full_gate import FullGateLSTM
from lstm_jax.cells.greff import CIFG, NFG, NIAF, NIG, NOAF, NOG, NP
from lstm_jax.cells.gru import GRU, ResetBeforeGRU
from lstm_jax.cells.indrnn import IndRNN
from lstm_jax.cells.layer_norm import LayerNormLSTM
from lstm_jax.cells.lstm import LSTM
from lstm_jax.cells.lstm_1997 import LSTM1997
from lstm_jax.cells.mgu import MGU
from lstm_jax.cells.multiplicative import MultiplicativeLSTM
from lstm_jax.cells.peephole import PeepholeLSTM
from lstm_jax.cells.projected import ProjectedLSTM
from lstm_jax.cells.ur_lstm import URLSTM

AnyCell = (
    LSTM
    | LSTM1997
    | PeepholeLSTM
    | NIG
    | NFG
    | NOG
    | NIAF
    | NOAF
    | CIFG
    | NP
    | FullGateLSTM
    | ProjectedLSTM
    | LayerNormLSTM
    | URLSTM
    | MultiplicativeLSTM
    | GRU
    | ResetBeforeGRU
    | MGU
    | Elman
    | IRNN
    | IndRNN
)
"""The type of a setting that takes any of these cells, those on vectors of features."""

CELLS: dict[str, type[Cell]] = {kind.__name__: kind for kind in (*get_args(AnyCell), ConvLSTM)}
"""Every cell by the name of its class."""

EXAMPLES: dict[str, Any] = {"projection_size": 32, "space": (16, 16)}
"""Values for the settings beside the size that have no default, to count parameters by."""


@dataclass(frozen=True)
class Description:
    """What there is to say about a cell."""

    name: str
    """Of its class."""
    summary: str
    """One sentence."""
    paper: str
    """Where it comes from."""
    equation: str
    """One line an equation."""
    deviations: str
    """How it differs from the paper."""
    settings: dict[str, tuple[Any, str]]
    """Default (`dataclasses.MISSING` where there is none) and meaning of each."""
    parameters: int
    """How many numbers it learns at this size."""
    gated: bool
    """Whether it runs on the fast path."""


# A module of a cell tells it so: a title; the papers with their years, up to "::"; the equations; how it deviates.
def describe(kind: type[Cell], input_size: int, hidden_size: int) -> Description:
    """What the cell's docstrings say, and its number of parameters with ``input_size`` features."""
    module = inspect.getdoc(inspect.getmodule(kind)) or ""
    head, _, rest = module.partition("::\n")
    equation = textwrap.dedent(rest.strip("\n").split("\n\n")[0])
    paper = " ".join(head.split("\n\n", 1)[1].split())
    tail = " ".join(" ".join(rest.strip("\n").split("\n\n")[1:]).split())
    own: Any = kind
    required = {f.name: EXAMPLES[f.name] for f in fields(own) if f.name in EXAMPLES and f.default is MISSING}
    cell = own(hidden_size=hidden_size, **required)
    shapes = jax.eval_shape(lambda key: cell.init(key, input_size), jax.random.key(0))
    return Description(
        name=kind.__name__,
        summary=(inspect.getdoc(kind) or "").splitlines()[0],
        paper=paper,
        equation=equation,
        deviations=tail,
        settings={f.name: (f.default, meaning(kind, f.name)) for f in fields(own)},
        parameters=sum(leaf.size for leaf in jax.tree.leaves(shapes)),
        gated=cell.gated,
    )


def meaning(kind: type, field: str) -> str:
    """The docstring below a field, of the class or of one that it derives from."""
    for base in kind.__mro__:
        if field in vars(base).get("__annotations__", {}):
            source = inspect.getsource(base)
            found = re.search(rf"^    {field}: [^\n]*\n    \"\"\"(.*?)\"\"\"", source, re.MULTILINE | re.DOTALL)
            if found:
                return " ".join(found.group(1).split())
    return ""
