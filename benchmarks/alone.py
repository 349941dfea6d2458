"""What lstm_jax is measured on alone: compile time, memory, growth with T, and what options cost.

``python -m benchmarks.alone WHAT TURNS`` writes its figures as JSON. Times of the variants of one comparison are
taken in turn, and a ratio within a turn.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import lstm_jax

lstm_jax.use_cpu_cores()

import jax
import jax.numpy as jnp
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from benchmarks.cases import SHAPES
from benchmarks.cells import CELLS
from benchmarks.worker import seconds
from lstm_jax.driver.pieces import auto_chunk

MESH = jax.make_mesh((jax.device_count(),), ("batch",), axis_types=(AxisType.Auto,))


def problem(shape: tuple, cell: Any = None, **options: Any) -> tuple[Any, tuple]:
    """A jitted training step and its arguments; options go to `unroll`."""
    b, t, d, h = shape
    cell = cell or lstm_jax.LSTM(h)
    everywhere, by_row = (NamedSharding(MESH, PartitionSpec(*axes)) for axes in ((), (None, "batch")))
    params = jax.device_put(cell.init(jax.random.key(0), d), everywhere)
    xs = jax.device_put(jax.random.normal(jax.random.key(1), (t, b, d)), by_row)

    def loss(params: Any, xs: jax.Array) -> jax.Array:
        return jnp.mean(jnp.square(lstm_jax.unroll(cell, params, xs, **options)[0].astype("float32")))

    return jax.jit(jax.value_and_grad(loss)), (params, xs)


def in_turn(variants: dict[str, tuple[Callable, tuple]], turns: int) -> dict[str, dict[str, float]]:
    """Best and median milliseconds of each, and the median ratio to the first one's."""
    for step, args in variants.values():
        jax.block_until_ready(step(*args))
    times: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(turns):
        # Another one first each turn: whoever follows a wait is slower.
        names = list(variants)
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            step, args = variants[name]
            times[name].append(min(seconds(lambda step=step, args=args: jax.block_until_ready(step(*args)), 3)))
    first = times[next(iter(variants))]
    return {
        name: {
            "best_ms": min(found) * 1e3,
            "median_ms": statistics.median(found) * 1e3,
            "ratio": statistics.median(a / b for a, b in zip(found, first, strict=True)),
        }
        for name, found in times.items()
    }


def cells(turns: int) -> dict[str, Any]:
    """User-written gated cells against the LSTM; a cell with only a step against its plain scan."""
    found = {}
    for name, shape in SHAPES.items():
        h = shape[3]
        mine = {"lstm": problem(shape)} | {key: problem(shape, cell(h)) for key, cell in CELLS.items()}
        only = lstm_jax.ResetBeforeGRU(h)
        step_only = {vjp: problem(shape, only, vjp=vjp) for vjp in ("autodiff", "hoisted")}
        found[name] = in_turn(mine, turns) | {f"step-only {k}": v for k, v in in_turn(step_only, turns).items()}
    return found


def family(turns: int) -> dict[str, Any]:
    """Every cell against the LSTM: time, and time for the same work in matrix products."""
    found = {}
    for name in ("copy", "mid"):
        _, _, d, h = shape = SHAPES[name]
        # Not the ConvLSTM, whose products are convolutions.
        kinds = {k: kind for k, kind in lstm_jax.cells.CELLS.items() if k != "ConvLSTM"}
        own = {"ProjectedLSTM": {"projection_size": h // 2}}
        each = {k: kind(hidden_size=h, **own.get(k, {})) for k, kind in kinds.items()}
        found[name] = in_turn({k: problem(shape, cell) for k, cell in each.items()}, turns)
        for k, cell in each.items():
            found[name][k]["per product"] = found[name][k]["ratio"] * products(each["LSTM"], d) / products(cell, d)
    return found


def products(cell: Any, input_size: int) -> float:
    """A training step's multiplications a row and step: two of each input weight, three of each other one."""
    params = jax.eval_shape(lambda key: cell.init(key, input_size), jax.random.key(0))
    leaves = jax.tree.flatten_with_path(params)[0]
    return sum((2 if "w_x" in jax.tree_util.keystr(p) else 3) * leaf.size for p, leaf in leaves if leaf.ndim == 2)


def options(turns: int) -> dict[str, Any]:
    """What lengths, mask, resets, bfloat16 and a chunk that does not divide T cost."""
    found = {}
    for name, shape in SHAPES.items():
        b, t, _, h = shape
        by_row, by_step = (NamedSharding(MESH, PartitionSpec(*axes)) for axes in (("batch",), (None, "batch")))
        lengths = jnp.clip((jax.random.uniform(jax.random.key(2), (b,)) * 0.2 + 0.8) * t, 1, t).astype(int)
        mask = jax.random.bernoulli(jax.random.key(3), 0.9, (t, b))
        chosen = {
            "none": {},
            "lengths": {"lengths": jax.device_put(lengths, by_row)},
            "mask": {"mask": jax.device_put(mask, by_step)},
            "resets": {"resets": jax.device_put(~mask, by_step)},
            "remat": {"remat": True},
        }
        variants = {key: problem(shape, **some) for key, some in chosen.items()}
        variants["bfloat16"] = problem(shape, lstm_jax.LSTM(h, dtype="bfloat16"))
        variants["T + 1"] = problem((b, t + 1, *shape[2:]))
        found[name] = in_turn(variants, turns)
    return found


def chunks(turns: int) -> dict[str, Any]:
    """The chunk that "auto" chooses against a search."""
    found = {}
    for name, (b, t, d, h) in SHAPES.items():
        rows = b // jax.device_count()
        auto = auto_chunk(t, rows * 4 * h * 4, 4 * h * h * 4, False, jax.default_backend())
        tried = sorted({c for c in (5, 10, 20, 40, 80, 160, t) if c <= t} | {auto})
        times = in_turn(
            {"auto": problem((b, t, d, h))} | {str(c): problem((b, t, d, h), chunk=c) for c in tried}, turns
        )
        found[name] = {"auto chooses": auto, **times}
    return found


def memory(turns: int) -> dict[str, Any]:
    """Rematerialisation on a long sequence: XLA's temporary memory on one device, and time, against plain autodiff."""
    shape = (16, 16_384, 2, 128)
    variants = {
        "autodiff": problem(shape, vjp="autodiff"),
        "remat": problem(shape, remat=True),
        "hoisted": problem(shape),
    }
    found: dict[str, Any] = in_turn(variants, turns)
    for name, (step, args) in variants.items():
        found[name]["temporary_MB"] = step.lower(*args).compile().memory_analysis().temp_size_in_bytes / 1e6
    return {"B,T,D,H = 16,16384,2,128": found}


def compile_times(turns: int) -> dict[str, Any]:
    """Tracing and compiling a training step, T = 10,000 against T = 100."""
    found: dict[str, Any] = {}
    for cell in (lstm_jax.LSTM(128), lstm_jax.Stack((lstm_jax.LSTM(128),) * 2), lstm_jax.ResetBeforeGRU(128)):
        times: dict[int, list[float]] = {100: [], 10_000: []}
        for _ in range(max(5, turns)):
            for steps, taken in times.items():
                step, (params, xs) = problem((32, 100, 2, 128), cell)
                xs = jax.ShapeDtypeStruct((steps, *xs.shape[1:]), xs.dtype, sharding=xs.sharding)
                jax.clear_caches()
                start = time.perf_counter()
                step.lower(params, xs).compile()
                taken.append(time.perf_counter() - start)
        short, long = (statistics.median(taken) for taken in times.values())
        found[type(cell).__name__] = {"T=100 s": short, "T=10000 s": long, "ratio": long / short}
    return found


def scaling(turns: int) -> dict[str, Any]:
    """Time of a training step as T doubles, and as H doubles."""
    lengths = (100, 200, 400, 800, 1600, 2500, 5000, 10_000, 20_000)
    over_t = {str(t): problem((32, t, 2, 64)) for t in lengths}
    over_h = {str(h): problem((32, 100, h, h)) for h in (32, 64, 128, 256, 512)}
    by_t, by_h = in_turn(over_t, turns), in_turn(over_h, turns)
    doubled = {
        f"{t} to {2 * t}": by_t[str(2 * t)]["best_ms"] / by_t[str(t)]["best_ms"] for t in lengths if 2 * t in lengths
    }
    return {"T": by_t, "time(2T) / time(T)": doubled, "H": by_h}


def population(turns: int) -> dict[str, Any]:
    """A population of 8 by vmap against 8 runs one after another."""
    found = {}
    for name in ("small", "copy"):
        step, (params, xs) = problem(SHAPES[name])
        many = jax.tree.map(lambda leaf: jnp.stack([leaf] * 8), params)
        batched = jax.jit(jax.vmap(step, in_axes=(0, None)))

        def one_by_one(params: Any, xs: jax.Array, step: Callable = step) -> list[Any]:
            return [step(params, xs) for _ in range(8)]

        found[name] = in_turn({"8 runs": (one_by_one, (params, xs)), "vmap of 8": (batched, (many, xs))}, turns)
    return found


WHAT = {
    "cells": cells,
    "family": family,
    "options": options,
    "chunks": chunks,
    "memory": memory,
    "compile": compile_times,
    "scaling": scaling,
    "population": population,
}

if __name__ == "__main__":
    with jax.set_mesh(MESH):
        sys.stdout.write(json.dumps(WHAT[sys.argv[1]](int(sys.argv[2]))) + "\n")
