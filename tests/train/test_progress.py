"""What is shown of a run: lines without a terminal, a bar on one."""

import io
import sys

import pytest

from lstm_jax.train import progress, train
from tests.train.tiny import experiment


def test_lines_tell_step_loss_validation_rate_and_time_left(capsys, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    train(experiment())
    first, *lines = capsys.readouterr().err.splitlines()
    assert first == "tiny: compiling on 4 devices, at most 40 steps"
    assert lines[0].startswith("tiny  step 4/40  loss ")
    assert "steps/s  at most 0:0" in lines[0]
    assert any("validation mse " in line for line in lines)
    assert lines[-1].startswith("tiny  step 40/40")


def test_quiet_shows_nothing(capsys):
    train(experiment(), quiet=True)
    shown = capsys.readouterr()
    assert shown.out == shown.err == ""


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar(monkeypatch):
    pytest.importorskip("rich")
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    train(experiment())
    shown = terminal.getvalue()
    assert "tiny: compiling on 4 devices, at most 40 steps" in shown
    assert "40/40" in shown
    assert "steps/s" in shown
    assert " mse 0." in shown
    assert "…" not in shown
