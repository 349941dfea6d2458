"""A process of one framework: reads a JSON request a line, and answers each with a line.

{"build": case, "check": FILE}   compile; write outputs and gradients to FILE (.npz)
{"run": n}                       warm up, then n times at least: seconds of each
{"peak": n}                      FLOP/s of n products of two 2048 x 2048 float32 matrices
"""

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.cases import Case

SIZE = 2048
# What is short is called more often: after a wait the first calls are slow.
WARM_UP, COUNTED = 0.05, 0.2  # seconds, at least


def main(framework: str) -> None:
    """Answer until the requests end."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    module: Any = None if framework == "peak" else importlib.import_module(f"benchmarks.frameworks.{framework}")
    timed: Any = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "build" in request:
                timed = module.build(Case.of(request["build"]))
                np.savez(request["check"], **timed.result())
                answer = {"built": True}
            elif "peak" in request:
                answer = {"flops": peak(request["peak"])}
            else:
                answer = {"seconds": seconds(timed.call, request["run"])}
        except Exception as error:  # whatever a framework cannot do is told, and the others go on
            answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0][:300]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def seconds(call: Callable[[], object], times: int) -> list[float]:
    """Of each of ``times`` calls, or of as many as take `COUNTED`, after some that do not count."""
    found: list[float] = []
    for least, enough in ((1, WARM_UP), (times, COUNTED)):
        found = []
        while len(found) < least or sum(found) < enough:
            start = time.perf_counter()
            call()
            found.append(time.perf_counter() - start)
    return found


def peak(times: int) -> list[float]:
    """Of one product on all threads."""
    import jax
    import jax.numpy as jnp

    a = jnp.ones((SIZE, SIZE))
    product = jax.jit(jnp.matmul)
    return [2 * SIZE**3 / s for s in seconds(lambda: product(a, a).block_until_ready(), times)]


if __name__ == "__main__":
    main(sys.argv[1])
