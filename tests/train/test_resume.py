"""A run that is interrupted anywhere and started again gives the numbers of one that was not, bit for bit."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lstm_jax.train import Interrupted, Optimizer, RunError, train
from lstm_jax.train.signals import Signals
from lstm_jax.train.writers import read
from tests.train.tiny import Config, Counter, experiment, losses, raising

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def whole():
    """The uninterrupted run."""
    return train(experiment(), quiet=True)


def _assert_same(result, whole):
    assert losses(result.history) == losses(whole.history)
    assert losses(read(result.workdir)) == losses(whole.history)
    validations = [[r["mse"] for r in run.history if r["split"] == "validation"] for run in (result, whole)]
    assert validations[0] == validations[1]
    for one, other in zip(jax.tree.leaves(result.params), jax.tree.leaves(whole.params), strict=True):
        np.testing.assert_array_equal(one, other)
    assert result.metrics == whole.metrics
    assert (result.steps, result.sequences) == (whole.steps, whole.sequences)


def test_after_an_exception(tmp_path, whole):
    # checkpoint_every=0 saves after each call of at most 4 steps; the error comes while the validation of step 20 is
    # read, which is written down, but not yet saved.
    with pytest.raises(OSError, match="out of luck"):
        train(
            experiment(stop=raising(2, lambda: OSError("out of luck"))),
            workdir=tmp_path,
            checkpoint_every=0,
            quiet=True,
        )
    assert losses(read(tmp_path))[-1][0] == 20
    resumed = train(experiment(), workdir=tmp_path, quiet=True)
    _assert_same(resumed, whole)


def test_without_any_checkpoint_it_starts_over(tmp_path, whole):
    with pytest.raises(OSError, match="out of luck"):
        train(experiment(stop=raising(2, lambda: OSError("out of luck"))), workdir=tmp_path, quiet=True)
    assert losses(read(tmp_path))
    _assert_same(train(experiment(), workdir=tmp_path, quiet=True), whole)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_first_and_says_how_to_go_on(tmp_path, whole, number):
    before = signal.getsignal(number)

    def stop(metrics):
        os.kill(os.getpid(), number)
        return False

    with pytest.raises(Interrupted, match="the same command goes on from there") as stopped:
        train(experiment(stop=stop), workdir=tmp_path, quiet=True)
    assert stopped.value.signal_number == number
    assert "after step 10 of 40" in str(stopped.value)
    assert signal.getsignal(number) is before
    assert losses(read(tmp_path))[-1][0] == 10
    assert (tmp_path / "checkpoints" / "10").is_dir()
    _assert_same(train(experiment(), workdir=tmp_path, quiet=True), whole)


def test_a_second_signal_acts_at_once():
    # As on a terminal: a job started in the background is born with Ctrl-C ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with contextlib.ExitStack() as stack:
        stack.callback(signal.signal, signal.SIGINT, before)
        signals = stack.enter_context(Signals())
        os.kill(os.getpid(), signal.SIGINT)
        assert signals.received == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_resumed_run_compiles_nothing_that_the_first_one_compiled(tmp_path):
    counter = Counter()
    # A weakly typed parameter, which comes back from a checkpoint strongly typed.
    settings = {"init": lambda key: {"w": jnp.asarray(0.5) * jnp.ones(3), "b": jnp.asarray(0.5)}}
    stop = raising(1, lambda: OSError("out of luck"))
    with pytest.raises(OSError, match="out of luck"):
        train(experiment(counter=counter, stop=stop, **settings), workdir=tmp_path, checkpoint_every=0, quiet=True)
    assert (tmp_path / "checkpoints" / "8").is_dir()
    train(experiment(counter=counter, **settings), workdir=tmp_path, quiet=True)
    assert counter.traces == 1


def test_a_signal_while_compiling_is_kept_for_the_first_step(tmp_path, whole):
    def evaluate(params, key):
        os.kill(os.getpid(), signal.SIGTERM)  # while it is traced
        return experiment().evaluate(params, key)

    with pytest.raises(Interrupted, match="after step 0 of 40"):
        train(experiment(evaluate=evaluate), workdir=tmp_path, quiet=True)
    _assert_same(train(experiment(), workdir=tmp_path, quiet=True), whole)


def test_killed_at_any_instant(tmp_path):
    steps = 3000
    command = [sys.executable, "tests/train/tiny.py", str(tmp_path), str(steps)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    metrics = tmp_path / "metrics.jsonl"
    reached = 0
    for wait in np.random.default_rng(0).uniform(0, 0.5, size=2):
        process = subprocess.Popen(command, cwd=ROOT, env=environment)
        try:
            deadline = time.monotonic() + 60
            while process.poll() is None and time.monotonic() < deadline and _last_step(metrics) <= reached:
                time.sleep(0.02)
            time.sleep(wait)
        finally:
            process.kill()
        assert process.wait() == -signal.SIGKILL, "it ended before it was killed: take more steps"
        reached = _last_step(metrics)
    config = Config(steps=steps)
    resumed = train(experiment(config), workdir=tmp_path, quiet=True)
    _assert_same(resumed, train(experiment(config), quiet=True))


def _last_step(metrics: Path) -> int:
    if not metrics.exists():
        return 0
    *lines, _ = metrics.read_text().split("\n")
    return json.loads(lines[-1])["step"] if lines else 0


def test_killed_between_the_last_checkpoint_and_the_result(tmp_path):
    def stop(metrics):
        return metrics["mse"] < 1.0

    finished = train(experiment(stop=stop), workdir=tmp_path, quiet=True)
    assert finished.steps < 40
    (tmp_path / "result.json").unlink()
    _assert_same(train(experiment(stop=stop), workdir=tmp_path, quiet=True), finished)


def test_a_finished_run_gives_its_result_again(tmp_path):
    first = train(experiment(), workdir=tmp_path, quiet=True)
    written = (tmp_path / "result.json").read_text()
    again = train(experiment(), workdir=tmp_path, quiet=True)
    _assert_same(again, first)
    assert again.to_json() == first.to_json()
    assert (tmp_path / "result.json").read_text() == written


def test_more_steps_continue_a_finished_run(tmp_path):
    first = train(experiment(Config(steps=20)), workdir=tmp_path, quiet=True)
    assert (first.steps, first.stopped) == (20, False)
    _assert_same(train(experiment(Config(steps=40)), workdir=tmp_path, quiet=True), train(experiment(), quiet=True))
    with pytest.raises(RunError, match="already taken 40 steps, and at most 20 are asked for"):
        train(experiment(Config(steps=20)), workdir=tmp_path, quiet=True)


def test_a_run_that_was_stopped_by_its_validation_does_not_go_on(tmp_path):
    first = train(experiment(stop=lambda metrics: metrics["mse"] < 1.0), workdir=tmp_path, quiet=True)
    assert first.stopped
    longer = experiment(Config(steps=80), stop=lambda metrics: metrics["mse"] < 1.0)
    assert train(longer, workdir=tmp_path, quiet=True).steps == first.steps


def test_steps_belong_to_a_run_whose_schedule_ends_with_them(tmp_path):
    optimizer = Optimizer(learning_rate=0.05, schedule="cosine")
    train(experiment(Config(steps=20), optimizer=optimizer), workdir=tmp_path, quiet=True)
    with pytest.raises(RunError, match=r"other settings: steps \(20 there, 40 here\)"):
        train(experiment(Config(steps=40), optimizer=optimizer), workdir=tmp_path, quiet=True)


def test_a_finished_run_whose_last_checkpoint_is_lost_is_finished_again(tmp_path):
    first = train(experiment(), workdir=tmp_path, checkpoint_every=0, quiet=True)
    shutil.rmtree(tmp_path / "checkpoints" / "40")
    _assert_same(train(experiment(), workdir=tmp_path, quiet=True), first)


def _events(workdir):
    """TensorBoard's events, file by file: (step, tag) of every scalar, and the steps from which a file starts anew."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    for path in sorted((workdir / "tensorboard").iterdir(), key=lambda path: path.stat().st_mtime_ns):
        content, at, scalars, begins = path.read_bytes(), 0, [], []
        while at < len(content):
            size = int.from_bytes(content[at : at + 8], "little")
            event = event_pb2.Event.FromString(content[at + 12 : at + 12 + size])
            at += 12 + size + 4
            if event.HasField("session_log"):
                begins.append(event.step)
            scalars += [(event.step, value.tag) for value in event.summary.value]
        yield begins, scalars


def test_tensorboard_is_told_to_forget_what_is_taken_again(tmp_path):
    stop = raising(2, lambda: OSError("out of luck"))
    with pytest.raises(OSError, match="out of luck"):
        train(experiment(stop=stop), workdir=tmp_path, checkpoint_every=0, quiet=True)
    saved, last = sorted(int(path.name) for path in (tmp_path / "checkpoints").iterdir())
    shutil.rmtree(tmp_path / "checkpoints" / str(last))
    train(experiment(), workdir=tmp_path, quiet=True)
    (_, before), (begins, after) = _events(tmp_path)
    assert max(step for step, _ in before) == 20 > saved
    assert begins == [saved + 1]
    steps = [step for step, tag in after if tag == "train/loss"]
    assert steps == list(range(saved + 1, 41))
