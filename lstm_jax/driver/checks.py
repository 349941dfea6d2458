"""Errors at the public boundary, before any work: one sentence each, with axis names and both shapes."""

from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from lstm_jax.cell import Array, BatchShape, Cell, GatedCell, Key, Params, State, batch_axes
from lstm_jax.driver import inexact
from lstm_jax.driver.collect import state_fields
from lstm_jax.options import one_of


def check_inputs(cell: Cell, params: Params, xs: Array) -> BatchShape:
    """Refuse inputs that are not ``[T, *batch, D]``, and parameters that are not this cell's for that D.

    Returns the batch's shape.
    """
    if xs.ndim < 1 + cell.feature_axes:
        if cell.feature_axes == 1:
            layout, hint = "[T, *batch, D] (time first, features last)", "for a single feature use xs[..., None]"
        else:
            layout, hint = f"[T, *batch, {'space, ' * (cell.feature_axes - 1)}D]", "time comes first, channels last"
        raise ValueError(
            f"xs must be {layout}, at least {1 + cell.feature_axes} axes, but has shape {_axes(xs.shape)}; {hint}."
        )
    if not jnp.issubdtype(xs.dtype, jnp.inexact):
        raise TypeError(
            f"xs must be floating-point numbers, but have dtype {xs.dtype}: convert them with xs.astype('float32'), "
            "or embed or one-hot encode them (jax.nn.one_hot) if they are symbols."
        )
    if jnp.iscomplexobj(xs) and not jnp.issubdtype(cell.compute_dtype(params), jnp.complexfloating):
        raise TypeError(f"xs is complex, but {type(cell).__name__} is real: pass real and imaginary parts as features.")
    own = _shapes_of_init(cell, xs.shape[-1])
    if own is not None and own != _shapes(params):
        same = len(own) == len(_shapes(params))
        pairs = zip(own, _shapes(params), strict=True) if same else ()
        differing = [(o, g) for o, g in pairs if o != g]
        if differing and all(o[0] == g[0] for o, g in differing):
            (name, needed), (_, given) = differing[0]
            if not given or _shapes_of_init(cell, given[0]) != _shapes(params):
                raise ValueError(
                    f"params have {name} {list(given)} where {cell!r} needs {list(needed)}: they were made by a cell "
                    f"of other settings; make them with cell.init(key, {xs.shape[-1]})."
                )
            raise ValueError(
                f"params of {type(cell).__name__} have {name} {list(given)} where xs {_axes(xs.shape)}, with input "
                f"size D = {xs.shape[-1]} on its last axis, needs {list(needed)}: pass inputs of the size that init "
                f"was called with, or parameters of cell.init(key, {xs.shape[-1]})."
            )
        raise ValueError(
            f"params are not those of {type(cell).__name__}: expected {', '.join(name for name, _ in own)}, "
            f"got {', '.join(name for name, _ in _shapes(params))}; make them with cell.init(key, {xs.shape[-1]})."
        )
    return batch_axes(cell, xs)


def holds_no_rows(cell: Cell, params: Params, xs: Array) -> bool:
    """Whether the prepared parameters are those of `Cell.init` in shape: nothing in them belongs to a row."""
    return _shapes_of_init(cell, xs.shape[-1]) == _shapes(params)


@lru_cache(maxsize=256)
def _shapes_of_init(cell: Cell, input_size: int) -> list[tuple[str, tuple[int, ...]]] | None:
    """Names and shapes of what ``init`` makes; None where it cannot be traced, and nothing is checked."""
    try:
        return _shapes(jax.eval_shape(lambda key: cell.init(key, input_size), jax.random.key(0)))
    except jax.errors.JAXTypeError:
        return None


def _shapes(tree: Any) -> list[tuple[str, tuple[int, ...]]]:
    leaves, _ = jax.tree.flatten_with_path(tree)
    return [(jax.tree_util.keystr(path).lstrip(".") or "params", jnp.shape(leaf)) for path, leaf in leaves]


def check_lengths(lengths: Any, xs: Array, batch: BatchShape) -> Array:
    """Refuse lengths that are not whole numbers ``[*batch]`` within 0..T (the range only where they are concrete)."""
    given, lengths = lengths, jnp.asarray(lengths)
    steps = xs.shape[0]
    if not jnp.issubdtype(lengths.dtype, jnp.integer):
        raise ValueError(f"lengths must be whole numbers of steps, one a row, but have dtype {lengths.dtype}.")
    if lengths.shape != batch:
        if len(batch) == 1 and lengths.shape == (steps,):
            raise ValueError(
                f"lengths has shape [{steps}], one a row, but xs {_axes(xs.shape)} has T = {steps} and B = {batch[0]}: "
                "xs looks batch-first; pass xs.swapaxes(0, 1), which is [T, B, D]."
            )
        raise ValueError(
            f"lengths must have the batch's shape [*batch] = {list(batch)}, one number a row, but has shape "
            f"{list(lengths.shape)} with xs {_axes(xs.shape)}."
        )
    if not isinstance(lengths, Tracer):
        values = np.asarray(given)
        if values.size and (values.max() > steps or values.min() < 0):
            wrong = values.max() if values.max() > steps else values.min()
            raise ValueError(
                f"lengths must lie in 0..T = 0..{steps}, but one is {wrong}; xs has shape {_axes(xs.shape)}."
            )
    # A narrow type cannot count to T.
    return lengths.astype(jnp.int32)


def check_steps(name: str, value: Any, xs: Array, batch: BatchShape) -> Array:
    """Refuse a mask or resets that is not boolean ``[T, *batch]``; whole numbers are taken for booleans."""
    value = jnp.asarray(value)
    if value.dtype != bool and not jnp.issubdtype(value.dtype, jnp.integer):
        raise ValueError(f"{name} must hold booleans, but has dtype {value.dtype}: pass {name} > 0.5 or its like.")
    if value.shape != (xs.shape[0], *batch):
        swapped = len(batch) == 1 and value.shape == (*batch, xs.shape[0])
        hint = f"; transpose it: pass {name}.T" if swapped else ""
        raise ValueError(
            f"{name} must be [T, *batch] = {[xs.shape[0], *batch]} to go with xs {_axes(xs.shape)}, "
            f"but has shape {list(value.shape)}{hint}."
        )
    return value.astype(bool)


def check_state(cell: Cell, state: State, initial: State) -> State:
    """Refuse a state that is not of this cell and batch; return it with the dtypes of the cell's own."""
    own, given = describe(initial), describe(state)
    if jax.tree.structure(state) != jax.tree.structure(initial) or [jnp.shape(x) for x in jax.tree.leaves(state)] != [
        jnp.shape(x) for x in jax.tree.leaves(initial)
    ]:
        raise ValueError(
            f"state is not one of {type(cell).__name__} for this batch: expected {own}, got {given}; "
            "make one with cell.initial_state(params, batch_shape), or pass the state that unroll returned."
        )
    return jax.tree.map(lambda x, like: jnp.asarray(x).astype(like.dtype), state, initial)


def first_step(cell: Cell, params: Params, xs: Array, keys: Key | None) -> Any:
    """The shapes of what ``project`` gives one step."""
    one = jax.ShapeDtypeStruct((1, *xs.shape[1:]), xs.dtype)
    key = None if keys is None else jax.ShapeDtypeStruct((1, *keys.shape[1:]), keys.dtype)
    zs = jax.eval_shape(lambda p, x, k: cell.project(p, x, keys=k), params, one, key)
    return jax.tree.map(lambda z: jax.ShapeDtypeStruct(z.shape[1:], z.dtype), zs)


def check_step(cell: Cell, params: Params, z: Any, state: State) -> None:
    """Refuse a cell whose update, or step, does not return a state like the one it got: traced once a compilation."""
    if cell.gated:
        gated: Any = cell
        name = f"{type(cell).__name__}.update"
        new = jax.eval_shape(lambda p, z, s: gated.update(p, gated.join(z, gated.mix(p, s)), s), params, z, state)
        _check_join(gated, z, jax.eval_shape(gated.mix, params, state))
    else:
        name = f"{type(cell).__name__}.step"
        returned = jax.eval_shape(cell.step, params, state, z)
        if not isinstance(returned, tuple) or len(returned) != 2:
            raise TypeError(f"{name} must return (state, output), got {describe(returned)}.")
        new = returned[0]
    expected, got = _state_in_words(state), _state_in_words(new)
    if expected != got:
        raise TypeError(f"{name} must return a state like the one it gets, {expected}, got {got}.")


def _check_join(cell: GatedCell, z: Any, u: Any) -> None:
    """Refuse a `join` that is not linear: the backward pass takes its derivative to be the same everywhere."""
    diff, exact, together = inexact.split((z, u))

    def transposed(exact: inexact.Leaves) -> Any:
        def join(diff: inexact.Leaves) -> inexact.Leaves:
            return inexact.split(cell.join(*together(diff, exact)))[0]

        joined = jax.eval_shape(join, diff)
        return jax.linear_transpose(join, diff)([jnp.zeros(leaf.shape, leaf.dtype) for leaf in joined])

    try:
        jax.eval_shape(transposed, exact)
    except (NotImplementedError, AssertionError) as error:
        raise ValueError(
            f"{type(cell).__name__}.join must be linear in z and u, such as z + u, or its gradients would be wrong: "
            "what is not linear belongs into update."
        ) from error


def _state_in_words(state: State) -> str:
    dtypes = ", ".join(str(leaf.dtype) for leaf in jax.tree.leaves(state))
    return f"{describe(state)} of {dtypes}" if dtypes else describe(state)


def check_key(key: Any) -> Key:
    """Refuse what is not one key; an old-style uint32 key becomes a typed one."""
    if isinstance(key, int):
        raise ValueError(f"key must be a JAX key, got the number {key}: pass jax.random.key({key}).")
    key = jnp.asarray(key)
    if key.dtype == jnp.uint32 and key.shape == (2,):
        return jax.random.wrap_key_data(key)
    if not jnp.issubdtype(key.dtype, jax.dtypes.prng_key) or key.shape:
        raise ValueError(
            f"key must be one key such as jax.random.key(0), got {key.dtype} of shape {list(key.shape)}; unroll "
            "derives a key for every step and row by itself."
        )
    return key


def check_collect(cell: Cell, names: tuple[str, ...], params: Params, z: Any, state: State) -> None:
    """Refuse a name that the cell cannot collect, with the nearest one that it can."""
    known = [*state_fields(state), *jax.eval_shape(cell.inspect, params, z, state)]
    for name in names:
        one_of(f"collect of {type(cell).__name__}", name, known)


def check_cell(cell: Any) -> None:
    """Refuse what is not a cell's instance: most often its class, or a class that is not a dataclass."""
    if isinstance(cell, type):
        raise TypeError(f"pass a cell, not its class: {cell.__name__}(hidden_size).")
    if isinstance(cell, Tracer):
        raise TypeError("the cell must be static under jax.jit: jax.jit(partial(unroll, cell)), or static_argnums=0.")
    if not isinstance(cell, Cell):
        raise TypeError(f"the first argument of unroll must be a lstm_jax.Cell, got {type(cell).__name__}.")
    name = type(cell).__name__
    if not is_dataclass(cell) or cell.__hash__ is None:
        raise TypeError(f"{name} must be a hashable dataclass: put @dataclass(frozen=True) above it.")
    try:
        hash(cell)
    except TypeError as error:
        raise TypeError(
            f"a setting of {name} is {error}: settings are numbers, strings and tuples, no arrays."
        ) from None
    if undeclared := vars(cell).keys() - {f.name for f in fields(cell)}:
        raise TypeError(
            f"{name} has {min(undeclared)!r}, which is no field of its dataclass, so programs compiled for another "
            "value of it would be used: declare it in the class."
        )
    if isinstance(cell, GatedCell) and type(cell).step is not GatedCell.step:
        raise TypeError(
            f"{name} overrides step, which a GatedCell's fast path does not call: override update or output, or derive "
            "it from lstm_jax.Cell."
        )


def describe(tree: Any) -> str:
    """A state in words: its fields and their shapes."""
    if isinstance(tree, type):
        return f"the class {tree.__name__}"
    if is_dataclass(tree):
        inner = ", ".join(f"{f.name} {describe(getattr(tree, f.name))}" for f in fields(tree))
        return f"{type(tree).__name__}({inner})"
    if isinstance(tree, (tuple, list)):
        return f"({', '.join(map(describe, tree))})"
    return str(list(tree.shape)) if hasattr(tree, "shape") else "None" if tree is None else type(tree).__name__


def _axes(shape: tuple[int, ...]) -> str:
    """A shape with its axes named: ``[T=7, B=3, D=2]``."""
    if len(shape) < 2:
        return str(list(shape))
    batch = ["B"] if len(shape) == 3 else [f"B{i + 1}" for i in range(len(shape) - 2)]
    return "[" + ", ".join(f"{n}={s}" for n, s in zip(["T", *batch, "D"], shape, strict=True)) + "]"
