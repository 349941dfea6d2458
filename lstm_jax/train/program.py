"""A function and what it was compiled to."""

from collections.abc import Callable
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun
from jax.sharding import Mesh, NamedSharding, PartitionSpec

LARGE = 1000
"""Elements from which on an array is an argument of the program rather than a part of its text."""


class Program:
    """A pure function, compiled once for each structure, shape and dtype of its arguments.

    Large arrays that it closes over (a data set in memory) are arguments of the compiled program; `jax.jit` would print
    them into its text. Every device, and every process, holds all arguments and results: any of them can save them,
    and any number of them resume.
    """

    def __init__(self, function: Callable[..., Any], mesh: Mesh) -> None:
        self.function = function
        self._everywhere = NamedSharding(mesh, PartitionSpec())
        self._compiled: dict[Any, Executable] = {}

    def __call__(self, *args: Any) -> Any:
        """The function's value."""
        return self.compile(*args)(*args)

    def compile(self, *args: Any) -> "Executable":
        """The executable for arguments like these."""
        shapes = tuple((leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(args))
        found = jax.tree.structure(args), shapes
        if found not in self._compiled:
            self._compiled[found] = Executable(self.function, self._everywhere, args)
        return self._compiled[found]


class Executable:
    """A function compiled for one kind of arguments."""

    def __init__(self, function: Callable[..., Any], everywhere: NamedSharding, args: tuple) -> None:
        closed, self.result = jax.make_jaxpr(function, return_shape=True)(*args)
        large = [getattr(const, "size", 0) >= LARGE for const in closed.consts]
        self._captured = [const for const, is_large in zip(closed.consts, large, strict=True) if is_large]
        small = [const for const, is_large in zip(closed.consts, large, strict=True) if not is_large]

        def run(captured: list[Any], *args: Any) -> Any:
            sources = iter(captured), iter(small)
            consts = [next(sources[0] if is_large else sources[1]) for is_large in large]
            flat = jaxpr_as_fun(ClosedJaxpr(closed.jaxpr, consts))(*jax.tree.leaves(args))
            return jax.tree.structure(self.result).unflatten(flat)

        self._lowered = jax.jit(run, in_shardings=everywhere, out_shardings=everywhere).lower(self._captured, *args)
        self._call = self._lowered.compile()

    def __call__(self, *args: Any) -> Any:
        """The function's value."""
        return self._call(self._captured, *args)

    def text(self) -> str:
        """The program before XLA optimises it, as StableHLO."""
        return self._lowered.as_text()


def traced(function: Callable[..., Any], *args: Any) -> tuple[Callable[..., Any], Any]:
    """``function``, traced once for arguments like these, to be called any number of times; and its value's shapes."""
    closed, shapes = jax.make_jaxpr(function, return_shape=True)(*args)

    def call(*args: Any) -> Any:
        return jax.tree.structure(shapes).unflatten(jaxpr_as_fun(closed)(*jax.tree.leaves(args)))

    return call, shapes
