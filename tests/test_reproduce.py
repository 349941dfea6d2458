"""scripts/reproduce.py: what it runs, and the page that it writes."""

import json
import os
import statistics
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import reproduce
import results_lines
import results_page

ROOT = Path(__file__).parents[1]

LINE = results_lines.Line(
    name="one",
    task="a task",
    command="python -m experiments.adding --length 4 --steps 3 --evaluation-size 10",
    published="much",
    source="Somebody 1999",
    score="mse",
    aim="little",
)


def _result(folder, *, solved=True, mse=0.1, **more):
    folder.mkdir(parents=True)
    result = {
        "solved": solved, "stopped": True, "metrics": {"mse": mse}, "steps": 10, "best_step": 10, "sequences": 320,
        "seconds": 60.0, "compile_seconds": 1.0, "device": "1 x cpu", "versions": {}, "git_revision": "abc",
        "baseline": 0.5,
    }  # fmt: skip
    (folder / "result.json").write_text(json.dumps(result | more))
    about = {"metric": "mse", "goal": "min", "baseline": 0.5, "target": None}
    (folder / "config.json").write_text(json.dumps(about))
    (folder / "metrics.jsonl").write_text('{"step": 10, "split": "validation", "mse": 0.2}\n')
    return folder


def test_rows_and_each_stand_for_lines():
    line = results_lines.Line(
        **vars(LINE) | {"name": "a-{x}-{y}", "command": "run {x} --trial {seed}"},
    )
    rows, each = [{"x": "1"}, {"x": "2"}], {"y": ["b", "c"]}
    lines = replace(line, rows=rows, each=each).lines()
    assert [one.name for one in lines] == ["a-1-b", "a-1-c", "a-2-b", "a-2-c"]
    assert lines[2].command == "run 2 --trial {seed}"
    assert LINE.lines() == [LINE]


def test_another_command_has_another_folder(tmp_path):
    other = replace(LINE, command="something else")
    assert LINE.folder(tmp_path, 0) != other.folder(tmp_path, 0)
    assert LINE.folder(tmp_path, 0).parent == LINE.folder(tmp_path, 1).parent


def test_every_seed_is_on_the_page_the_failed_ones_too(tmp_path):
    runs, results = tmp_path / "runs", tmp_path / "results"
    for seed, mse in enumerate((0.1, 0.3)):
        _result(LINE.folder(runs, seed), mse=mse, solved=seed == 0)
    failed = LINE.folder(runs, 2)
    failed.mkdir()
    (failed / "failed.txt").write_text("It broke.\n")
    unrun = replace(LINE, name="two", task="another", note="Too slow.")
    results_page.write([LINE, unrun], runs, results)
    content = json.loads((results / "one.json").read_text())
    assert [seed["seed"] for seed in content["seeds"]] == [0, 1, 2]
    failed = content["seeds"][2]
    assert failed == {"seed": 2, "date": failed["date"], "failed": "It broke."}
    page = (results / "README.md").read_text()
    [row] = [line for line in page.splitlines() if "[a task](one.json)" in line]
    assert "much (Somebody 1999)" in row and "mse 0.2 (0.1 to 0.3)" in row and "| 1/3, 2 not run | 320 | 1.0 |" in row
    assert "| another | ours |" in page and "not run" in page and "**another**: Too slow." in page
    assert (results / "plots" / "one.png").exists() and "plots/one.png" in page
    # What was run elsewhere stays, and a seed run here joins it.
    results_page.write([LINE, unrun], tmp_path / "nowhere", results)
    assert json.loads((results / "one.json").read_text()) == content
    assert results_page.recorded(LINE, results) == {0, 1}
    _result(LINE.folder(tmp_path / "here", 2), mse=0.2, git_revision="def")
    _result(LINE.folder(tmp_path / "here", 3), mse=0.4)
    results_page.write([LINE, unrun], tmp_path / "here", results)
    joined = json.loads((results / "one.json").read_text())
    assert joined["seeds"][:2] == content["seeds"][:2]
    assert [seed["metrics"]["mse"] for seed in joined["seeds"]] == [0.1, 0.3, 0.2, 0.4]
    assert [seed["git_revision"] for seed in joined["seeds"]] == ["abc", "abc", "def", "abc"]
    # A failure takes no result's place, and an older result no newer one's.
    other = LINE.folder(tmp_path / "there", 0)
    other.mkdir(parents=True)
    (other / "failed.txt").write_text("It broke here.")
    old = _result(LINE.folder(tmp_path / "there", 1), mse=9.0) / "result.json"
    os.utime(old, (0, 0))
    results_page.write([LINE, unrun], tmp_path / "there", results)
    assert json.loads((results / "one.json").read_text())["seeds"] == joined["seeds"]
    # Another command has no seeds yet.
    assert results_page.recorded(replace(LINE, command="other"), results) == set()


def test_accuracy_by_step_is_the_median_over_seeds_and_long_sequences_come_in_parts(tmp_path):
    folders = []
    for seed, shares in enumerate(([1.0, 0.5], [0.5, 0.5], [0.0, 1.0])):
        folders.append(tmp_path / str(seed))
        folders[-1].mkdir()
        rows = [f",{step},4,{share}" for step, share in enumerate(shares)]
        rows += [f"long,{step},{1 if step < 5 else 3},{float(step >= 5)}" for step in range(100)]
        (folders[-1] / "accuracy_by_step.csv").write_text("test,step,asked,accuracy\n" + "\n".join(rows) + "\n")
    found = results_page.by_step(folders)
    assert found["test"] == {"0": 0.5, "1": 0.5}
    assert len(found["long"]) == 10
    assert found["long"]["0-9"] == pytest.approx(15 / 20)
    assert found["long"]["90-99"] == 1


def test_the_confidence_interval_is_students():
    assert results_page.spread([1.0, 2.0, 3.0]) == "2 (1 to 3; ±2.5)"
    assert results_page.spread([0.5]) == "0.5"
    assert results_page.spread([]) == "failed"


def test_what_is_no_line_is_refused(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["reproduce.py", "--only", "addign"])
    with pytest.raises(SystemExit):
        reproduce.main()
    assert "there is no line 'addign'; --list lists them" in capsys.readouterr().err


@pytest.mark.proof
def test_runs_go_on_where_they_were_and_failures_are_kept(tmp_path, capsys):
    wrong = replace(LINE, name="wrong", command="python -c 'raise(SystemExit(1))'")
    jobs = [reproduce.Job(line, 0, line.folder(tmp_path, 0)) for line in (LINE, wrong)]
    reproduce.run(jobs)
    told = capsys.readouterr().out
    assert "2 runs, 0 of them done" in told and "one seed 0: not solved, mse" in told
    assert "wrong seed 0: failed, exit code 1: no output" in told
    assert (jobs[1].folder / "failed.txt").read_text() == "exit code 1: no output\n"
    reproduce.run(jobs)  # what failed is tried again
    assert "2 runs, 1 of them done" in capsys.readouterr().out


def test_the_page_says_what_lines_and_files_say():
    every, results = results_lines.read_lines(), ROOT / "results"
    names = {line.name for line in every}
    lines = [line for line in every if not line.application]
    assert {path.stem for path in results.glob("*.json")} <= names
    drawn = {line.figure or line.name: line for line in lines}
    pictures = {name: f"{name.replace(' ', '-')}.png" for name in drawn}
    pictures = {name: file for name, file in pictures.items() if (results / "plots" / file).exists()}
    written = (results / "README.md").read_text()
    assert results_page.page(lines, results, pictures) == written, "python scripts/reproduce.py --write"
    guide = (ROOT / "docs" / "applications.md").read_text()
    table = results_page.with_table(guide, [line for line in every if line.application], results)
    assert table == guide, "python scripts/reproduce.py --write"


def test_an_application_stands_beside_what_needs_no_network(tmp_path):
    runs, results, docs = tmp_path / "runs", tmp_path / "results", tmp_path / "docs"
    docs.mkdir()
    line = replace(LINE, application=True, beside="mse_naive, mse_linear", seeds=3, note="It falls short.")
    for seed, mse in enumerate((0.1, 0.3)):
        _result(line.folder(runs, seed), metrics={"mse": mse, "mse_naive": 2.0, "mse_linear": 1.0})
    mark = results_page.MEASURED
    (docs / "applications.md").write_text(f"Before.\n{mark}{mark}After.\n")
    for _ in range(2):  # a second time nothing changes
        results_page.write([line], runs, results)
        page = (docs / "applications.md").read_text()
        assert page.startswith("Before.\n") and page.endswith("After.\n") and page.count(mark) == 2
        [row] = [row for row in page.splitlines() if "a task" in row and row.startswith("|")]
        assert "| mse 0.2 (0.1 to 0.3); 1 of 3 not run | mse_naive 2, mse_linear 1 | much (Somebody 1999)" in row
        assert "- **a task**: It falls short." in page
    assert "a task" not in (results / "README.md").read_text()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('[[line]]\nname = "one"\nsore = "mse"\n', "the line 'one' lacks a field or has one that there is not"),
        ("BRACES", "the line 'x-{what}' has 'what' in braces, which is no name of its rows"),
    ],
)
def test_a_line_that_is_none_is_told(tmp_path, monkeypatch, capsys, text, sentence):
    if text == "BRACES":
        fields = {name: value for name, value in vars(LINE).items() if isinstance(value, str)} | {"name": "x-{what}"}
        text = "[[line]]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in fields.items())
        text += 'rows = [{ other = "1" }]\n'
    for name in ("LINES", "APPLICATIONS"):
        monkeypatch.setattr(results_lines, name, tmp_path / "lines.toml")
    results_lines.LINES.write_text(text)
    monkeypatch.setattr(sys, "argv", ["reproduce.py", "--list"])
    with pytest.raises(SystemExit):
        reproduce.main()
    assert sentence in capsys.readouterr().err


def test_the_readme_s_figures_are_those_of_the_results():
    readme = (ROOT / "README.md").read_text()
    table = readme[readme.index("`--only` |") :].split("\n\n")[0].splitlines()[2:]
    assert len(table) > 5
    for row in table:
        _, _, ours, solved, minutes, name = (cell.strip() for cell in row.strip("| ").split(" | "))
        content = json.loads((ROOT / "results" / f"{name}.json").read_text())
        seeds = content["seeds"]
        assert solved == f"{sum(seed['solved'] for seed in seeds)} of {len(seeds)}"
        assert minutes == f"{statistics.median(seed['seconds'] for seed in seeds) / 60:.1f}"
        score = statistics.median(seed["metrics"][content["score"]] for seed in seeds)
        sequences = statistics.median(seed["sequences"] for seed in seeds)
        assert ours in (f"MSE {score:.4f}", f"{100 * score:.1f}%", f"{sequences:,.0f} sequences")
