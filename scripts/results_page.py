"""results/NAME.json, pictures, results/README.md and docs/applications.md, from the runs of scripts/reproduce.py."""

import csv
import datetime as dt
import importlib
import json
import math
import shlex
import statistics
from pathlib import Path
from typing import Any

from results_lines import Line

from lstm_jax.report.interval import half_interval
from lstm_jax.train.task_experiment import BY_STEP

HEAD = """\
# Results

Each line is one command, run with several seeds; `python scripts/reproduce.py --only NAME` runs it again. Every seed is
counted, the failed ones too. Scores are of test sequences, drawn once, after training; validation sequences alone
decide when a run stops and which of its parameters are tested. Lines, seeds and aims stand in [lines.toml](lines.toml)
and were committed before the runs; what was changed after a first one is told below.

- **setting** is `paper` where task, model and training are the paper's, as far as it tells them, and `ours` elsewhere:
  only the first could be called reproduced.
- **ours** is the median over the seeds, from the lowest to the highest, and, of three seeds or more, half of the mean's
  95% confidence interval.
- **solved** counts the seeds whose test scores meet the threshold in the experiment's file (`SOLVED`...), which is not
  always the aim, and says how many have not been run.
- **sequences** (training sequences seen) and **minutes** (on one core) are medians; seeds after the first mostly find
  the compiled program in the cache, which saves up to half a minute.
- **(m)** is quoted from memory of the paper.

Most runs shared the machine with another one, a run on each core, and some with other work: minutes are what they took
there. A line's JSON file has every seed's scores, at other lengths too, and how often the answers at each step are
right. Pictures tell how many seeds they show, which may be fewer than were recorded since. Each seed's entry names the
revision of the code that it was run at (`-dirty`: with changes that were not committed); at another one its test
sequences may be another draw, and its scores differ accordingly.
"""
KEPT = [
    "solved",
    "stopped",
    "metrics",
    "steps",
    "best_step",
    "sequences",
    "seconds",
    "compile_seconds",
    "git_revision",
    "device",
]
APPLICATION_COLUMNS = ["task", "score", "beside it", "published", "aim", "minutes", "command", "date"]
MEASURED = "<!-- measured by scripts/reproduce.py -->\n"
COLUMNS = [
    "task",
    "setting",
    "published",
    "aim",
    "ours",
    "solved",
    "sequences",
    "minutes",
    "command",
    "date",
    "machine",
]


def write(lines: list[Line], runs: Path, results: Path) -> None:
    """Write down the runs under ``runs``; seeds that were run elsewhere keep what is written of them."""
    results.mkdir(exist_ok=True)
    for line in lines:
        found = summary(line, runs)
        if found is not None:
            content = joined(read(line, results), found)
            (results / f"{line.name}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    suite = [line for line in lines if not line.application]
    pictures = draw(suite, runs, results)
    (results / "README.md").write_text(page(suite, results, pictures), encoding="utf-8")
    print(f"Written: {results / 'README.md'}")
    guide = results.parent / "docs" / "applications.md"
    if guide.exists():
        text = guide.read_text(encoding="utf-8")
        guide.write_text(with_table(text, [line for line in lines if line.application], results), encoding="utf-8")
        print(f"Written: {guide}")


def read(line: Line, results: Path) -> dict[str, Any] | None:
    """What is written of a line as it is today; None if that is nothing."""
    path = results / f"{line.name}.json"
    content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    return content if content is not None and content["command"] == line.command else None


def recorded(line: Line, results: Path) -> set[int]:
    """The seeds of which a result is written."""
    return {seed["seed"] for seed in finished(read(line, results))}


def joined(known: dict[str, Any] | None, found: dict[str, Any]) -> dict[str, Any]:
    """Of each seed the newer result of the two, and no failure in place of one; the rest is that of what was found."""
    if known is None:
        return found
    seeds = {seed["seed"]: seed for seed in known["seeds"]}
    for seed in found["seeds"]:
        old = seeds.get(seed["seed"], {"failed": "", "date": ""})
        if ("failed" in old or "failed" not in seed) and seed["date"] >= old["date"]:
            seeds[seed["seed"]] = seed
    # What is told of several seeds together is told of as many as possible.
    most = max(found, known, key=lambda content: len(finished(content)))
    ordered = [seeds[number] for number in sorted(seeds)]
    return known | found | {"seeds": ordered, "accuracy_by_step": most["accuracy_by_step"]}


def finished(content: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The seeds with a result."""
    return [] if content is None else [seed for seed in content["seeds"] if "failed" not in seed]


def summary(line: Line, runs: Path) -> dict[str, Any] | None:
    """What the finished runs of a line came to; None if there is none."""
    seeds, last = [], None
    for seed in range(100):
        folder = line.folder(runs, seed)
        paths = [folder / name for name in ("result.json", "failed.txt") if (folder / name).exists()]
        if not paths:
            continue
        entry = {"seed": seed, "date": dt.date.fromtimestamp(paths[0].stat().st_mtime).isoformat()}
        text = paths[0].read_text(encoding="utf-8")
        if paths[0].suffix == ".json":
            last = json.loads(text)
            seeds.append(entry | {name: last[name] for name in KEPT})
        else:
            seeds.append(entry | {"failed": text.strip()})
    if not seeds:
        return None
    about = {n: getattr(line, n) for n in ("name", "task", "command", "setting", "published", "source", "aim", "score")}
    where = {} if last is None else {n: last[n] for n in ("versions", "baseline")}
    positions = by_step([line.folder(runs, entry["seed"]) for entry in seeds if "failed" not in entry])
    return about | where | {"seeds": seeds, "accuracy_by_step": positions}


def by_step(folders: list[Path]) -> dict[str, dict[str, float]]:
    """How often the answer at each step is right, by test: the median over the seeds; long sequences in ten parts."""
    found: dict[str, dict[int, list[tuple[int, float]]]] = {}
    for folder in folders:
        if not (folder / BY_STEP).exists():
            continue
        for row in csv.DictReader((folder / BY_STEP).read_text(encoding="utf-8").splitlines()):
            test = found.setdefault(row["test"] or "test", {})
            test.setdefault(int(row["step"]), []).append((int(row["asked"]), float(row["accuracy"])))
    return {test: _in_parts(steps) for test, steps in found.items()}


def _in_parts(steps: dict[int, list[tuple[int, float]]]) -> dict[str, float]:
    """Accuracy by step; of more than 20 steps by tenths of them, each answer counting once."""
    order = sorted(steps)
    size = 1 if len(order) <= 20 else -(-len(order) // 10)
    parts = [order[first : first + size] for first in range(0, len(order), size)]
    found = {}
    for part in parts:
        seeds = range(min(len(steps[step]) for step in part))
        right = [[steps[step][seed] for step in part] for seed in seeds]
        shares = [sum(asked * share for asked, share in one) / sum(asked for asked, _ in one) for one in right]
        name = str(part[0]) if len(part) == 1 else f"{part[0]}-{part[-1]}"
        found[name] = round(statistics.median(shares), 6)
    return found


def page(lines: list[Line], results: Path, pictures: dict[str, str]) -> str:
    """The text of README.md."""
    rows = ["| " + " | ".join(COLUMNS) + " |", "|" + " --- |" * len(COLUMNS)]
    machines: list[str] = []
    for line in lines:
        content = read(line, results)
        if content is None:
            rows.append(
                f"| {line.task} | {line.setting} | {cited(line)} | {line.aim} | not run | | | | `{line.command}` | | |"
            )
            continue
        done = finished(content)
        devices = sorted({seed["device"] for seed in done})
        machines += [device for device in devices if device not in machines]
        solved = f"{sum(seed['solved'] is True for seed in done)}/{len(content['seeds'])}"
        solved += f", {line.seeds - len(content['seeds'])} not run" * (line.seeds > len(content["seeds"]))
        cells = [
            f"[{line.task}]({line.name}.json)",
            line.setting,
            cited(line),
            line.aim,
            f"{line.score} {spread([seed['metrics'].get(line.score, math.nan) for seed in done])}",
            solved,
            f"{statistics.median(seed['sequences'] for seed in done):,.0f}" if done else "",
            f"{statistics.median(seed['seconds'] for seed in done) / 60:.1f}" if done else "",
            f"`{line.command}`",
            date(content),
            ", ".join(str(machines.index(device) + 1) for device in devices),
        ]
        rows.append("| " + " | ".join(cells) + " |")
    said = [f"{number}. {device}" for number, device in enumerate(machines, 1)]
    notes = remarks_of(lines)
    drawn = [f"![{title}](plots/{file})" for title, file in pictures.items()]
    parts = [HEAD, "\n".join(rows)]
    parts += ["Machines:\n\n" + "\n".join(said)] if said else []
    parts += ["## What falls short, and what was tried\n\n" + "\n".join(notes)] if notes else []
    parts += ["## Learning curves\n\n" + "\n\n".join(drawn)] if drawn else []
    return "\n\n".join(part.strip() for part in parts) + "\n"


def with_table(text: str, lines: list[Line], results: Path) -> str:
    """docs/applications.md with its table as the files in ``results`` have it."""
    before, _, after = text.split(MEASURED)
    rows = ["| " + " | ".join(APPLICATION_COLUMNS) + " |", "|" + " --- |" * len(APPLICATION_COLUMNS)]
    for line in lines:
        content = read(line, results)
        done = finished(content)

        def median(name: str, done: list[dict[str, Any]] = done) -> float:
            return statistics.median(seed["metrics"].get(name, math.nan) for seed in done)

        left_out = line.seeds - (0 if content is None else len(content["seeds"]))
        failed = 0 if content is None else len(content["seeds"]) - len(done)
        told = f"{line.score} {spread([seed['metrics'].get(line.score, math.nan) for seed in done])}" if done else ""
        remarks = [f"{failed} failed"] * (failed > 0) + [f"{left_out} of {line.seeds} not run"] * (left_out > 0)
        cells = [
            f"[{line.task}](../results/{line.name}.json)" if done else line.task,
            "; ".join([told, *remarks] if told else remarks),
            ", ".join(f"{name.strip()} {median(name.strip()):.4g}" for name in line.beside.split(",")) if done else "",
            cited(line),
            line.aim,
            f"{statistics.median(seed['seconds'] for seed in done) / 60:.1f}" if done else "",
            f"`{line.command}`",
            "" if content is None else date(content),
        ]
        rows.append("| " + " | ".join(cells) + " |")
    table = "\n".join(rows)
    notes = "\n".join(remarks_of(lines))
    return f"{before}{MEASURED}\n{table}\n" + (f"\n{notes}\n" if notes else "") + f"\n{MEASURED}{after}"


def remarks_of(lines: list[Line]) -> list[str]:
    """The notes, each told once, with the tasks that it is about."""
    said: dict[str, list[str]] = {}
    for line in lines:
        if line.note:
            said.setdefault(line.note, []).append(line.task)
    return [f"- **{'; '.join(tasks)}**: {note}" for note, tasks in said.items()]


def date(content: dict[str, Any]) -> str:
    """Of the last run."""
    return max(seed["date"] for seed in content["seeds"])


def cited(line: Line) -> str:
    """What is published, and by whom."""
    return f"{line.published} ({line.source})" if line.source else line.published


def spread(values: list[float]) -> str:
    """Median, lowest to highest, and the confidence interval of the mean."""
    values = [value for value in values if not math.isnan(value)]
    if not values:
        return "failed"
    if len(values) == 1:
        return f"{values[0]:.4g}"
    half = f"; ±{half_interval(values):.2g}" if len(values) > 2 else ""
    return f"{statistics.median(values):.4g} ({min(values):.4g} to {max(values):.4g}{half})"


def draw(lines: list[Line], runs: Path, results: Path) -> dict[str, str]:
    """A picture for each group of lines with one ``figure``; the names of all that there are, by title.

    One that there is stays where some of what is recorded was not run under ``runs``.
    """
    from lstm_jax.report.bands import learning_curves

    plots = results / "plots"
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(line.figure or line.name, []).append(line)
    found = {}
    for figure, members in groups.items():
        curves, whole = {}, True
        for line in members:
            folders = [line.folder(runs, seed) for seed in sorted(recorded(line, results))]
            there = [folder for folder in folders if (folder / "result.json").exists()]
            whole = whole and there == folders
            if there:
                curves[line.label or line.task] = there
        path = plots / f"{figure.replace(' ', '-')}.png"
        if curves and (whole or not path.exists()):
            plots.mkdir(exist_ok=True)
            title = members[0].task if len(members) == 1 else figure
            module = importlib.import_module(shlex.split(members[0].command)[2])
            # An experiment that asks something else than how fast it learns draws its own picture.
            own = getattr(module, "draw", None)
            own(path, curves) if own else learning_curves(path, curves, title=title)
        if path.exists():
            found[figure] = path.name
    return found
