"""The section of a page on a study."""

import shlex
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from lstm_jax.report.blocks import Block, Cell, Picture, Section, Table, asked, environment
from lstm_jax.report.drawing import PAGE_SIZE, as_uri, new_figure
from lstm_jax.report.study_figures import (
    about,
    curves_of,
    draw_against,
    draw_importances,
    draw_learning_curves,
    runs_of,
    validated,
)
from lstm_jax.sweep.settings import Search
from lstm_jax.sweep.space import Dimension
from lstm_jax.sweep.study import Study
from lstm_jax.sweep.trial import TrialView, shown
from lstm_jax.train.folder import RESULT, read_json
from lstm_jax.train.run import progress_of

Results = dict[int, list[tuple[Path, dict[str, Any]]]]
"""By the trial's number: its finished runs and their results."""


def study_section(folder: Path) -> Section:
    """All that is known of a study; it may still be going on.

    Raises:
        RunError: there is no study, its database cannot be reached, or a result is damaged.
        ImportError: matplotlib is not installed.
    """
    study = Study(folder)
    trials = study.trials()
    results = {trial.number: finished(runs_of(study, trial)) for trial in trials}
    best = study.best_of(trials)
    blocks = [
        Block("Question", note=asked(study.sweep.experiment), facts=_question(study, trials)),
        Block("Command", command=shlex.join(began(study))),
        _best(study, best, results),
        _settings(study, trials, best),
        *_figures(study, trials),
        _table(study, trials, best, results),
        environment([run for runs in results.values() for run in runs]),
    ]
    return Section(study.name, f"Study in {folder}", blocks)


def finished(folders: Sequence[Path]) -> list[tuple[Path, dict[str, Any]]]:
    """Run folders that have a result, with it.

    Raises:
        RunError: a result is damaged.
    """
    found = ((folder, read_json(folder / RESULT)) for folder in folders)
    return [(folder, result) for folder, result in found if result is not None]


def began(study: Study) -> list[str]:
    """The command that begins such a study, or goes on with it."""
    sweep = study.sweep
    words = ["lstm-jax", "sweep", sweep.experiment, "--study", str(study.folder)]
    for field in fields(Search):
        value = getattr(sweep, field.name)
        if value != field.default:
            flag = f"--{field.name.replace('_', '-')}"
            words += [flag, *value] if isinstance(value, tuple) else [flag, str(value)]
    words += ["--hours", "1"] * sweep.endless  # or nothing would end it
    words += ["--storage", study.url] * bool(study.url)
    return [*words, *(["--", *sweep.fixed] if sweep.fixed else [])]


def _question(study: Study, trials: Sequence[TrialView]) -> list[tuple[str, str]]:
    sweep = study.sweep
    counts = Counter(trial.state for trial in trials)
    order = ("done", "pruned", "failed", "running", "stopped", "waiting")
    draws = f"{sweep.sampler}, seed {sweep.seed}"
    return [
        ("experiment", sweep.experiment),
        ("space", ", ".join(sweep.space)),
        ("the same in every trial", shlex.join(sweep.fixed) or "the experiment's defaults"),
        ("objective", f"{study.objective}, {'lower' if study.goal == 'min' else 'higher'} is better"),
        ("sampler", draws if sweep.trials is None else f"{draws}, {sweep.trials} trials"),
        ("seeds", f"{sweep.seeds} for each trial"),
        ("pruner", sweep.pruner),
        ("trials", ", ".join(f"{counts[state]} {state}" for state in order if counts[state]) or "none yet"),
    ]


def _best(study: Study, best: TrialView | None, results: Results) -> Block:
    heading = "Best configuration"
    if best is None:
        return Block(heading, note="No trial is done yet.")
    facts = [
        ("trial", str(best.number)),
        (study.objective, shown(best.value)),
        *((field, shown(value)) for field, value in best.values.items()),
        *((f"test {name}", shown(value)) for name, value in best.scores.items()),
    ]
    baselines = {result["baseline"] for _, result in results[best.number]} - {None}
    facts += [("trivial model", f"{shown(height)} (test {_metric(results[best.number])})") for height in baselines]
    seeds = study.sweep.seeds
    note = "The objective chose it, on validation data; its test scores were looked at afterwards." + (
        f" Both are means over {seeds} seeds; the command is that of the first." if seeds > 1 else ""
    )
    try:
        return Block(heading, note=note, facts=facts, command=shlex.join(study.command(best.values)))
    except Exception as error:  # the experiment is code, and may have changed since
        return Block(heading, note=f"{note} There is no command, for the experiment is not here: {error}", facts=facts)


def _metric(runs: Sequence[tuple[Path, dict[str, Any]]]) -> str:
    return runs[0][1]["metric"]


def _settings(study: Study, trials: Sequence[TrialView], best: TrialView | None) -> Block:
    """What differs between the trials."""
    rows = []
    for text in study.sweep.space:
        dimension = Dimension.read(text)
        tried = [t.values[dimension.field] for t in trials if t.values[dimension.field] is not None]
        if dimension.choices:
            counts = Counter(tried)
            said = ", ".join(f"{choice} ({counts[choice]})" for choice in dimension.choices if counts[choice])
        else:
            said = f"{shown(min(tried))} to {shown(max(tried))}" if tried else ""
        chosen = None if best is None else best.values[dimension.field]
        rows.append([Cell.of(entry) for entry in (dimension.field, text.partition("=")[2], said, chosen)])
    table = Table(("setting", "values", "tried (trials)", "best trial"), rows)
    return Block("Settings that differ", table=table)


def _figures(study: Study, trials: Sequence[TrialView]) -> list[Block]:
    told = about(study, trials)
    metric = validated(study, told)
    curves = curves_of(study, trials, metric)
    blocks = []
    if curves:
        figure = new_figure((PAGE_SIZE[0], PAGE_SIZE[1] + 0.6))
        draw_learning_curves(figure, study, trials, curves, told)
        band = "; bands go from the lowest to the highest seed" if study.sweep.seeds > 1 else ""
        note = f"Validation {metric} over the steps: the best trials in colours{band}."
        blocks.append(Block("Learning curves", note=note, pictures=[Picture(as_uri(figure), note)]))
    if any(trial.state not in ("waiting", "running") for trial in trials):
        pictures = []
        for text in study.sweep.space:
            figure, dimension = new_figure(PAGE_SIZE), Dimension.read(text)
            draw_against(figure, study, dimension, trials, curves)
            pictures.append(Picture(as_uri(figure), f"{study.objective} of each trial against {dimension.field}"))
        blocks.append(Block(f"{study.objective} against each setting", pictures=pictures))
    importances = study.importances()
    if importances:
        figure = new_figure((PAGE_SIZE[0], 1.0 + 0.35 * len(importances)))
        draw_importances(figure, importances)
        note = "How much of the objective's spread each setting explains, among the trials that are done (PED-ANOVA)."
        blocks.append(Block("Importances", note=note, pictures=[Picture(as_uri(figure), note)]))
    else:
        done = sum(trial.state == "done" for trial in trials)
        note = f"Too few trials to tell which setting matters: {done} are done; it takes 8, with different objectives."
        blocks.append(Block("Importances", note=note))
    return blocks


def _table(study: Study, trials: Sequence[TrialView], best: TrialView | None, results: Results) -> Block:
    """All trials."""
    tests = list(dict.fromkeys(name for trial in trials for name in trial.scores))
    settings = [field.rpartition(".")[2] if study.is_short(field) else field for field in study.fields]
    scores = [study.objective, *(f"test {name}" for name in tests)]
    columns = ["trial", *settings, "state", *scores, "steps", "seconds", "reason"]
    rows = []
    for trial in trials:
        steps = [result["steps"] for _, result in results[trial.number]]
        steps = steps or [taken for folder in runs_of(study, trial) if (taken := progress_of(folder)[0])]
        entries = [
            trial.number,
            *trial.values.values(),
            trial.state,
            trial.value,
            *(trial.scores.get(name) for name in tests),
            _round(statistics.fmean(steps)) if steps else None,
            None if trial.seconds is None else _round(trial.seconds),
            trial.reason,
        ]
        rows.append([Cell.of(entry) for entry in entries])
    note = "A click on a column's name sorts by it. The best trial stands out. Nothing is chosen by test scores." + (
        f" Scores and steps are means over {study.sweep.seeds} seeds." if study.sweep.seeds > 1 else ""
    )
    marked = None if best is None else list(trials).index(best)
    return Block("All trials", note=note, table=Table(columns, rows, marked, sortable=True))


def _round(number: float) -> float | int:
    """Without digits that nobody reads."""
    return round(number) if number >= 100 or number == int(number) else round(number, 2)
