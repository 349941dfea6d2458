"""What the benchmark times in the peers is what it times in lstm_jax."""

import importlib
import importlib.util

import numpy as np
import pytest

from benchmarks.cases import Case
from benchmarks.frameworks import lstm_jax_one

SHAPE = (2, 5, 3, 4)


@pytest.mark.parametrize(
    ("name", "package"), [("pytorch", "torch"), ("haiku", "haiku"), ("equinox", "equinox"), ("keras_jax", "keras")]
)
@pytest.mark.parametrize("mode", ["train", "forward"])
def test_computes_the_same(name, package, mode):
    if importlib.util.find_spec(package) is None:  # not importorskip: Keras must be told its backend first
        pytest.skip(f"needs {package}")
    compare(name, Case(SHAPE, mode))


@pytest.mark.parametrize("case", [Case(SHAPE, layers=2), Case(SHAPE, layers=2, both=True), Case(SHAPE, "stream")])
def test_pytorch_in_layers_both_directions_and_steps(case):
    compare("pytorch", case)


def compare(name, case):
    expected = lstm_jax_one.build(case).result()
    got = importlib.import_module(f"benchmarks.frameworks.{name}").build(case).result()
    for key, value in expected.items():
        np.testing.assert_allclose(got[key], value, rtol=1e-4, atol=1e-6, err_msg=key)
