"""`load_run`: a run folder read back, by another process, while it goes on, or when it is none."""

import dataclasses
import json
import sys

import jax
import numpy as np
import pytest

from experiments import adding
from lstm_jax import GRU, load_run
from lstm_jax.train import Optimizer, RunError, train
from tests.train.tiny import Config, experiment, raising

SMALL = adding.Config(length=6, cell=GRU(4), optimizer=Optimizer("lion", 1e-3), steps=60, evaluation_size=20)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train(adding.build(SMALL), seed=3, workdir=tmp_path_factory.mktemp("run"), quiet=True)


def test_everything_comes_back(run):
    loaded = load_run(run.workdir)
    assert loaded.config == SMALL
    assert loaded.metrics == run.history
    assert loaded.result["metrics"] == run.metrics
    for one, other in zip(jax.tree.leaves(loaded.params), jax.tree.leaves(run.params), strict=True):
        np.testing.assert_array_equal(one, other)
    assert jax.tree.structure(loaded.params) == jax.tree.structure(run.params)
    scores = loaded.experiment.evaluate(loaded.params, jax.random.key(0))
    assert 0 < float(scores["mse"]) < 10


def test_nothing_in_the_folder_changes(run):
    before = {path: path.stat().st_mtime_ns for path in sorted(run.workdir.rglob("*"))}
    load_run(run.workdir)
    assert {path: path.stat().st_mtime_ns for path in sorted(run.workdir.rglob("*"))} == before


def test_more_steps_than_the_configuration_said(tmp_path):
    train(adding.build(SMALL), workdir=tmp_path, quiet=True)
    longer = dataclasses.replace(SMALL, steps=70)
    train(adding.build(longer), workdir=tmp_path, quiet=True)
    assert load_run(tmp_path).config == longer


def test_a_run_that_is_not_finished_gives_its_best_parameters_so_far(tmp_path):
    stopped = experiment(stop=raising(3, lambda: OSError("out of luck")))
    with pytest.raises(OSError, match="out of luck"):
        train(stopped, workdir=tmp_path, checkpoint_every=0, quiet=True)
    loaded = load_run(tmp_path, experiment())
    assert loaded.result is None
    assert loaded.params["w"].shape == (3,)
    assert loaded.metrics[-1]["step"] == 30


def test_an_experiment_that_no_module_builds_must_be_given(tmp_path):
    train(experiment(Config(steps=4)), workdir=tmp_path, quiet=True)
    with pytest.raises(RunError, match=r"does not say which module .* pass load_run\(path, experiment\)"):
        load_run(tmp_path)
    assert load_run(tmp_path, experiment(Config(steps=4))).config == Config(steps=4)
    with pytest.raises(RunError, match="is of another experiment than the one given: noise differ"):
        load_run(tmp_path, experiment(Config(steps=4, noise=0.2)))


def test_what_is_no_run_is_told(tmp_path, run):
    (tmp_path / "result.json").write_text("{}")
    with pytest.raises(RunError, match=r"result\.json is a file: give the folder of the run"):
        load_run(tmp_path / "result.json")
    with pytest.raises(RunError, match=r"holds no run: it has no config\.json"):
        load_run(tmp_path)
    about = json.loads((run.workdir / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(about))
    with pytest.raises(RunError, match="has no checkpoint yet"):
        load_run(tmp_path)
    about["module"] = "experiments.gone"
    (tmp_path / "config.json").write_text(json.dumps(about))
    with pytest.raises(RunError, match=r"of the experiment experiments\.gone, which cannot be imported here"):
        load_run(tmp_path)
    about |= {"module": "experiments.adding", "config": about["config"] | {"lenght": 3}}
    (tmp_path / "config.json").write_text(json.dumps(about))
    with pytest.raises(RunError, match="Config has no setting 'lenght'"):
        load_run(tmp_path)


def test_the_module_is_known_however_it_was_started(run):
    assert json.loads((run.workdir / "config.json").read_text())["module"] == "experiments.adding"
    assert "experiments.adding" in sys.modules
