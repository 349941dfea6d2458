"""Every experiment of the long-dependency suite, built and traced; what each is made of."""

import importlib
import os
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import jax
import pytest

from lstm_jax.flags import parse

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

from reproduce import read_lines

EVERY = read_lines()
LINES = [line for line in EVERY if not line.application]
# One line of each experiment and each of its tasks.
TRACED = {(*line.command.split()[2:4], "$" in line.command): line for line in LINES}


def build(line):
    command = os.path.expandvars(line.command.replace("{seed}", "0"))
    if "$" in command:
        pytest.skip(f"needs files, in {command[command.index('$') :].split('/')[0]}")
    _, _, module, *flags = shlex.split(command)
    found = importlib.import_module(module)
    (config,) = parse(found.Config, flags=flags, command="test")
    return found.build(config)


@pytest.mark.parametrize("line", TRACED.values(), ids=lambda line: line.name)
def test_a_line_can_be_run_and_has_the_score_it_shows(line):
    experiment = build(line)
    key = jax.random.key(0)
    params = jax.eval_shape(experiment.init, key)
    batch = jax.eval_shape(experiment.batch, key, 0)
    loss, _ = jax.eval_shape(experiment.loss, params, batch, key)
    assert loss.shape == ()
    validated = jax.eval_shape(experiment.evaluate, params, key)
    tested = jax.eval_shape(experiment.test, params, key)
    assert experiment.metric in validated
    assert line.score in tested
    # The rules look at scores that there are.
    experiment.solved(dict.fromkeys(tested, 0.5))
    experiment.stops(dict.fromkeys(validated, 0.5))
    assert batch.inputs.shape[1] == experiment.batch_size


APPLICATIONS = {line.command.split()[2]: line for line in EVERY if line.application}


@pytest.mark.parametrize("line", APPLICATIONS.values(), ids=lambda line: line.name)
def test_the_command_of_an_application_means_something(line):
    _, _, module, *flags = shlex.split(line.command.replace("{seed}", "0"))
    parse(importlib.import_module(module).Config, flags=flags, command="test")
    assert line.beside


def test_the_lines_are_whole():
    for line in EVERY:
        assert line.published and (line.application or (line.source and line.aim))
        assert "{" not in line.command.replace("{seed}", "")
        assert not any(character in line.name for character in " /{}")
    figures = {}
    for line in LINES:
        figures.setdefault(line.figure or line.name, []).append(line)
    for name, members in figures.items():
        labels = [line.label for line in members]
        assert len(set(labels)) == len(labels), name


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ("formal_languages task:parity --task.longest 300", "task.longest must be below 200"),
        ("forget_gate --test-length 0", "test_length must be a whole number of at least 1, got 0"),
        ("compare_cells --parameters 3", "parameters must be at least"),
    ],
)
def test_settings_that_mean_nothing_are_refused(flags, sentence):
    line = replace(LINES[0], command=f"python -m experiments.{flags}")
    with pytest.raises(ValueError, match=sentence):
        build(line)
