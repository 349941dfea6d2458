"""Sweeps of a small experiment, for the tests."""

from pathlib import Path

from lstm_jax.sweep import Sweep, prepare, work

LINE = str(Path(__file__).with_name("line.py"))
RATES = "optimizer.learning_rate=log:1e-3..0.3"


def asked(**settings):
    return Sweep(**({"experiment": LINE, "space": (RATES,), "trials": 4, "sampler": "random"} | settings))


def worked(folder, **settings):
    study = prepare(asked(**settings), study=folder)
    told = []
    work(study.folder, told=told.append)
    return study, study.trials(), told
