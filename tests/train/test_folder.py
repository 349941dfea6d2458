"""The run folder: what is in it, and that one run's folder is never taken for another's."""

import dataclasses
import json
import os
import sys

import jax.numpy as jnp
import pytest

from lstm_jax.train import Optimizer, RunError, train
from lstm_jax.train.folder import Folder
from lstm_jax.train.writers import cut_back, read
from tests.train.tiny import Config, experiment


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run."""
    return train(experiment(), seed=5, workdir=tmp_path_factory.mktemp("run"), quiet=True)


def test_files(run):
    names = {path.name for path in run.workdir.iterdir()}
    assert names == {"config.json", "metrics.jsonl", "result.json", "checkpoints", "tensorboard", "lock"}
    about = json.loads((run.workdir / "config.json").read_text())
    assert about["config"] == {"steps": 40, "noise": 0.1}
    assert (about["experiment"], about["seed"]) == ("tiny", 5)


def test_result(run):
    result = json.loads((run.workdir / "result.json").read_text())
    wanted = "experiment config metrics baseline solved steps sequences seconds compile_seconds command git_revision"
    assert set(wanted.split()) | {"versions", "device"} <= set(result)
    assert result["metrics"] == run.metrics
    assert result["versions"]["jax"]
    assert 0 <= result["compile_seconds"] < result["seconds"]
    assert str(run).startswith("tiny: finished after 40 steps (160 sequences")


def test_metrics_are_the_history(run):
    records = read(run.workdir)
    assert tuple(records) == run.history
    assert records[0].keys() == {"step", "split", "loss", "grad_norm", "worst"}
    assert [r["step"] for r in records if r["split"] == "validation"] == [10, 20, 30, 40]


def test_tensorboard_has_the_same_numbers(run):
    loading = pytest.importorskip("tensorboardX.record_writer")
    del loading
    events = list((run.workdir / "tensorboard").iterdir())
    assert len(events) == 1
    content = events[0].read_bytes()
    for tag in (b"train/loss", b"train/worst", b"validation/mse"):
        assert tag in content


def test_another_run_is_refused_and_the_differing_settings_named(run):
    other = experiment(Config(steps=50, noise=0.2))
    with pytest.raises(
        RunError, match=r"other settings: noise \(0.1 there, 0.2 here\), seed \(5 there, 0 here\)"
    ) as error:
        train(other, workdir=run.workdir, quiet=True)
    assert "steps" not in str(error.value)
    with pytest.raises(RunError, match=r"holds a run of tiny, not of other\. Choose another workdir"):
        train(dataclasses.replace(experiment(), name="other"), seed=5, workdir=run.workdir, quiet=True)


def test_a_checkpoint_of_another_optimizer_is_one_sentence(tmp_path):
    config = Config(steps=4)
    train(experiment(config), workdir=tmp_path, quiet=True)
    with pytest.raises(RunError, match=r"checkpoint of step 4 .* is of another model or optimiser"):
        train(experiment(config, optimizer=Optimizer("momentum")), workdir=tmp_path, quiet=True)


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"Cannot write the run folder .*file/run"):
        train(experiment(), workdir=tmp_path / "file" / "run", quiet=True)


def test_cut_back_drops_later_records_and_a_torn_line(tmp_path):
    lines = [json.dumps({"step": step, "split": "train", "loss": 0.1 * step}) for step in (1, 2, 3)]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines) + '\n{"step": 4, "spl')
    assert [record["step"] for record in read(tmp_path)] == [1, 2, 3]
    assert [record["step"] for record in cut_back(tmp_path, 2)] == [1, 2]
    assert (tmp_path / "metrics.jsonl").read_text() == "\n".join(lines[:2]) + "\n"


def test_a_folder_in_use_is_refused(tmp_path):
    with Folder(tmp_path, {"experiment": "tiny", "seed": 0, "config": None}):
        with pytest.raises(RunError, match=rf"is in use by process {os.getpid()} on \S+: wait until that run ends"):
            train(experiment(), workdir=tmp_path, quiet=True)
        assert not (tmp_path / "checkpoints").exists()
    (tmp_path / "config.json").unlink()
    train(experiment(Config(steps=4)), workdir=tmp_path, quiet=True)


def test_fresh_moves_the_old_run_aside(tmp_path):
    path = tmp_path / "run"
    first = train(experiment(), workdir=path, quiet=True)
    # Also a run of other settings, which would be refused.
    second = train(experiment(Config(steps=4, noise=0.5)), workdir=path, fresh=True, quiet=True)
    train(experiment(), workdir=path, fresh=True, quiet=True)
    assert tuple(read(tmp_path / "run.old1")) == first.history
    assert tuple(read(tmp_path / "run.old2")) == second.history
    assert tuple(read(path)) != ()


def test_a_damaged_configuration_is_named(tmp_path):
    train(experiment(Config(steps=4)), workdir=tmp_path, quiet=True)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(RunError, match=r"config\.json is damaged, it is no JSON .*--fresh"):
        train(experiment(Config(steps=4)), workdir=tmp_path, quiet=True)


def test_a_damaged_result_is_had_again_from_the_checkpoint(tmp_path):
    first = train(experiment(), workdir=tmp_path, quiet=True)
    (tmp_path / "result.json").write_text("{")
    again = train(experiment(), workdir=tmp_path, quiet=True)
    assert (again.metrics, again.steps, again.history) == (first.metrics, first.steps, first.history)
    assert json.loads((tmp_path / "result.json").read_text())["metrics"] == first.metrics


def test_a_hole_in_the_records_is_told(tmp_path, capsys):
    train(experiment(), workdir=tmp_path, quiet=True)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "metrics.jsonl").write_text("".join(lines[:12]))  # ten steps, a validation, one step
    train(experiment(Config(steps=44)), workdir=tmp_path)
    assert "metrics.jsonl lacks steps 12 to 40, which are not taken again: it was damaged." in capsys.readouterr().err


def test_a_file_for_a_folder_is_told(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(RunError, match="run is a file: choose another --workdir, a folder"):
        train(experiment(), workdir=tmp_path / "run", quiet=True)


def test_what_is_seldom_meant_is_said(tmp_path, capsys):
    tiny = dataclasses.replace(experiment(Config(steps=4)), config=None)
    train(dataclasses.replace(tiny, batch=lambda key, step: tiny.batch(key, 0)), workdir=tmp_path)
    told = capsys.readouterr().err
    assert "The batch does not depend on step, so every step sees the same one" in told
    assert "Experiment.config is None" in told
    train(experiment(Config(steps=4)), workdir=tmp_path / "other")
    told = capsys.readouterr().err
    assert "depend on step" not in told and "config is None" not in told


def test_a_validation_that_is_no_number_is_said_once(tmp_path, capsys):
    train(experiment(evaluate=lambda params, key: {"mse": params["w"][0] * jnp.nan}), workdir=tmp_path)
    assert capsys.readouterr().err.count("The validation mse is nan at step 10.") == 1


def test_a_damaged_record_is_named(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "split": "train"}\nnothing\n{"step": 2, "split": "train"}\n')
    with pytest.raises(RunError, match=r"metrics\.jsonl, line 2 is damaged: 'nothing' is no record"):
        read(tmp_path)


def test_other_data_are_refused(tmp_path):
    train(experiment(Config(steps=4), fingerprint="one"), workdir=tmp_path, quiet=True)
    with pytest.raises(RunError, match=r"other settings: the data\. Choose another workdir"):
        train(experiment(Config(steps=8), fingerprint="two"), workdir=tmp_path, quiet=True)


class _FakeWandb:
    """What of wandb is used."""

    def __init__(self):
        self.settings, self.logged, self.finished = {}, [], False

    def init(self, **settings):
        self.settings = settings
        return self

    def log(self, numbers, step):
        self.logged.append((step, numbers))

    def finish(self):
        self.finished = True


def test_wandb_gets_the_records(tmp_path, monkeypatch):
    wandb = _FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    result = train(experiment(Config(steps=10)), workdir=tmp_path, wandb="mine", quiet=True)
    assert (wandb.settings["project"], wandb.settings["resume"]) == ("mine", "allow")
    assert wandb.settings["config"]["config"]["steps"] == 10
    assert [step for step, _ in wandb.logged] == [record["step"] for record in result.history]
    assert wandb.logged[-1][1]["validation/mse"] == result.history[-1]["mse"]
    assert wandb.finished


def test_wandb_that_is_not_installed_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(RunError, match="not installed: pip install wandb"):
        train(experiment(Config(steps=10)), workdir=tmp_path, wandb="mine", quiet=True)
