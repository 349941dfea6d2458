"""The page: what it says of a study and of a run, that nothing in it escapes, and that it needs nothing but itself."""

import html
import json
import re
import shlex
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from lstm_jax.cli import main
from lstm_jax.report.blocks import Cell
from lstm_jax.report.drawing import new_figure, save_png
from lstm_jax.report.page import report_command, write_page
from lstm_jax.report.study_section import began
from lstm_jax.sweep import Study, Sweep, prepare
from lstm_jax.train import RunError
from tests.report.made import EVIL, RATES, a_run, a_study, waiting_study

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")


class Page(HTMLParser):
    """What stands in a page: text by heading, tables with their keys, commands, tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.under: dict[str, str] = {}
        self.commands: dict[str, str] = {}
        self.rows: dict[str, list[list[tuple[str, str | None]]]] = {}
        self._heading = self._open = ""
        self._reading, self._command = "", False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append((tag, found))
        self._open = tag
        self._command |= tag == "pre"
        if tag in ("h1", "h2"):
            self._heading, self._reading = "", "heading"
        elif tag == "tr":
            self.rows.setdefault(self._heading, []).append([])
        elif tag in ("td", "th"):
            self.rows[self._heading][-1].append(("", found.get("data-key")))

    def handle_endtag(self, tag):
        if tag in ("h1", "h2"):
            self._reading = ""
            self.under.setdefault(self._heading, "")
        self._open = ""
        self._command &= tag != "pre"

    def handle_data(self, data):
        if self._reading:
            self._heading += data
            return
        self.under[self._heading] = self.under.get(self._heading, "") + data
        if self._command:
            self.commands[self._heading] = self.commands.get(self._heading, "") + data
        if self._open in ("td", "button", "th") and self.rows.get(self._heading):
            text, key = self.rows[self._heading][-1][-1]
            self.rows[self._heading][-1][-1] = (text + data.strip(), key)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    pytest.importorskip("optuna")
    pytest.importorskip("tyro")
    return a_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def page(study, tmp_path_factory):
    return Page(write_page(tmp_path_factory.mktemp("page") / "r.html", [study]).read_text())


def test_a_study_has_all_that_was_asked(study, page):
    assert page.under["Question"].split("\n\n")[0].strip() == "Which step size finds a sum the soonest? <b>"
    for words in (f"optimizer.learning_rate={','.join(RATES)}", "mse, lower is better", "grid", "2 for each trial"):
        assert words in page.under["Question"]
    assert "7 done, 3 failed" in page.under["Question"]
    assert {"Learning curves", "mse against each setting", "Importances", "Environment"} <= page.under.keys()
    pictures = [found for tag, found in page.tags if tag == "img"]
    assert len(pictures) == 3  # curves, two settings, and, of 7 trials, no importances
    assert all(found["src"].startswith("data:image/svg+xml;base64,") and found["alt"] for found in pictures)
    assert "7 are done; it takes 8" in page.under["Importances"]


def test_the_table_has_every_trial_and_the_numbers_of_the_results(study, page):
    head, *rows = page.rows["All trials"]
    assert [text for text, _ in head] == [
        "trial", "learning_rate", "kind", "state", "mse", "test mse", "steps", "seconds", "reason",
    ]  # fmt: skip
    assert [int(row[0][1]) for row in rows] == list(range(10))
    for number, row in enumerate(rows):
        texts, keys = zip(*row, strict=True)
        assert texts[1] == RATES[number // 2] and texts[2] == ("plain", EVIL)[number % 2]
        results = sorted((study / "trials" / f"{number:04d}").glob("*/result.json"))
        if texts[3] == "failed":
            assert not results and keys[4] == keys[5] == "" and "no & such <img src=x> kind" in texts[8]
            continue
        found = [json.loads(path.read_text()) for path in results]
        assert len(found) == 2
        assert float(keys[4]) == sum(one["validation"]["mse"] for one in found) / 2
        assert float(keys[5]) == sum(one["metrics"]["mse"] for one in found) / 2
        assert texts[4] == f"{float(keys[4]):.4g}"
        assert keys[6] == "20"
    assert [row[3][0] for row in rows].count("failed") == 3


def test_the_best_trial_as_a_command(study, page):
    opened = Study(study)
    best = min((t for t in opened.trials() if t.state == "done"), key=lambda trial: trial.value)
    assert shlex.split(page.commands["Best configuration"]) == opened.command(best.values)
    assert f"{best.scores['mse']:.4g}" in page.under["Best configuration"]
    marked = [found for tag, found in page.tags if tag == "tr" and found.get("class") == "best"]
    assert len(marked) == 1


def test_the_command_that_began_it_asks_the_same(study, page):
    from lstm_jax.flags import parse
    from lstm_jax.sweep.command import SweepOptions
    from lstm_jax.sweep.settings import Search

    words = shlex.split(page.commands["Command"])
    cut = words.index("--")
    asked = Study(study).sweep
    assert words[:3] == ["lstm-jax", "sweep", asked.experiment]
    assert tuple(words[cut + 1 :]) == asked.fixed
    search, options = parse(Search, SweepOptions, flags=words[3:cut], command="")
    assert {name: getattr(asked, name) for name in vars(search)} == vars(search)
    assert options.study == str(study)


def test_the_settings_tell_how_often_each_was_tried(page):
    _, rates, kinds = page.rows["Settings that differ"]
    assert rates[2][0] == "0.01 (2), 0.03 (2), 0.1 (2), 0.3 (2), 0.9 (2)"
    assert kinds[2][0] == f"plain (5), {EVIL} (5)"


def test_nothing_in_it_becomes_a_part_of_the_page_and_nothing_is_fetched(study, tmp_path):
    text = write_page(tmp_path / "r.html", [study]).read_text()
    page = Page(text)
    assert text.count("<script>") == 1 and EVIL not in text and "&lt;script&gt;alert(1)" in text
    assert not [tag for tag, _ in page.tags if tag in ("b", "link", "iframe")]
    resources = [found.get(name) for _, found in page.tags for name in ("src", "href") if name in found]
    assert resources and all(place.startswith(("data:", "#")) for place in resources)
    assert not re.search(r"https?://|@import|url\(", text)
    assert len(text) < 600_000


def test_a_study_whose_experiment_is_gone_still_has_its_page(study, tmp_path):
    there = json.loads((study / "study.json").read_text())
    try:
        changed = there | {"sweep": there["sweep"] | {"experiment": "experiments.gone_with_the_wind"}}
        (study / "study.json").write_text(json.dumps(changed))
        page = Page(write_page(tmp_path / "r.html", [study]).read_text())
    finally:
        (study / "study.json").write_text(json.dumps(there))
    assert "Best configuration" not in page.commands
    assert "There is no experiment 'experiments.gone_with_the_wind'" in page.under["Best configuration"]


def test_a_study_that_nobody_has_worked_on(tmp_path):
    pytest.importorskip("optuna")
    pytest.importorskip("tyro")
    page = Page(write_page(tmp_path / "r.html", [waiting_study(tmp_path)]).read_text())
    assert "10 waiting" in page.under["Question"]
    assert "No trial is done yet" in page.under["Best configuration"]
    assert "Nothing is finished yet" in page.under["Environment"]
    assert [row[3][0] for row in page.rows["All trials"][1:]] == ["waiting"] * 10
    assert not [tag for tag, _ in page.tags if tag == "img"]


def test_without_the_extra_it_is_named_but_a_run_needs_no_optuna(tmp_path, monkeypatch, capsys):
    a_run(tmp_path / "run")
    monkeypatch.setitem(sys.modules, "optuna", None)
    main(["report", str(tmp_path / "run")])
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(SystemExit) as stop:
        main(["report", str(tmp_path / "run")])
    assert stop.value.code == 1
    assert "pip install 'lstm-jax[experiments]'" in capsys.readouterr().err


def test_a_run_has_its_scores_curves_and_gradient_norms(tmp_path, capsys):
    folder = a_run(tmp_path / "run", seed=3)
    save_png(new_figure(), folder / "plots" / "own_view.png")
    (folder / "predictions.csv").write_text("row\n")
    main(["report", str(folder)])
    assert capsys.readouterr().out == f"The page: {folder / 'report.html'}\n"
    page = Page((folder / "report.html").read_text())
    result = json.loads((folder / "result.json").read_text())
    assert "tiny, seed 3" in page.under
    [score] = page.rows["Result"][1:]
    assert [key for _, key in score] == ["mse", *(repr(result[n]["mse"]) for n in ("metrics", "validation")), "3.0"]
    assert page.commands["Command"] == result["command"]
    alts = [found["alt"] for tag, found in page.tags if tag == "img"]
    drawn = ["Training loss and validation mse over the steps", "Norm of the gradient over the steps"]
    assert alts == [*drawn, "own view"]
    assert "The run folder also holds predictions.csv." in page.under["Pictures"]
    assert result["versions"]["jax"] in page.under["Environment"] and result["device"] in page.under["Environment"]


def test_a_run_that_goes_on(tmp_path):
    folder = a_run(tmp_path / "run")
    (folder / "result.json").unlink()
    page = Page(write_page(tmp_path / "r.html", [folder]).read_text())
    assert "20 steps are on record" in page.under["Command"]
    assert "No result yet" in page.under["Result"]
    (folder / "metrics.jsonl").unlink()
    page = Page(write_page(tmp_path / "r.html", [folder]).read_text())
    assert "There are no records yet" in page.under["Curves"]


def test_several_are_sections_of_one_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    a_run(tmp_path / "one")
    a_run(tmp_path / "two", seed=1)
    assert report_command(["one", "two"]) == "The page: report.html\n"
    page = Page((tmp_path / "report.html").read_text())
    assert "tiny, seed 0" in page.under and "tiny, seed 1" in page.under
    targets = [found["href"] for tag, found in page.tags if tag == "a"]
    assert targets == [f"#{found['id']}" for tag, found in page.tags if tag == "section"]
    report_command(["one", "--out", "deep/down/x.html"])
    assert (tmp_path / "deep" / "down" / "x.html").exists()


def test_what_is_neither_is_refused_in_a_sentence(tmp_path, capsys):
    for words, sentence in (
        (["report", str(tmp_path)], f"{tmp_path} holds no run and no study: it has no config.json and no study.json."),
        (["report"], "lstm-jax report: the following arguments are required: RUN_OR_STUDY."),
        (["report", "x", "--uot", "y"], "lstm-jax report: unrecognized arguments: --uot y."),
    ):
        with pytest.raises(SystemExit) as stop:
            main(words)
        assert stop.value.code == 2
        assert capsys.readouterr().err.strip() == sentence
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"Cannot write the page .*file/x.html"):
        write_page(tmp_path / "file" / "x.html", [])


def test_a_trials_folder_names_its_runs(study, tmp_path, capsys):
    trial = study / "trials" / "0000"
    with pytest.raises(SystemExit):
        main(["report", str(trial), "--out", str(tmp_path / "page.html")])
    said = f"{trial} holds no run itself, but 2 in folders of it: name them, as {trial}/seed-0.\n"
    assert capsys.readouterr().err == said


def test_the_command_of_a_study_that_only_the_time_ends_has_one(tmp_path):
    question = Sweep(experiment="experiments.adding", space=("length=5,6",), sampler="random")
    words = began(prepare(question, study=tmp_path / "study"))
    assert words[words.index("--hours") + 1] == "1" and "--trials" not in words


def test_entries_of_a_table():
    assert Cell.of(0.123456789) == Cell("0.1235", "0.123456789")
    assert Cell.of(float("inf")).key == "Infinity" and Cell.of(-float("inf")).key == "-Infinity"
    assert Cell.of(None) == Cell.of(float("nan")) == Cell("", "")
    assert Cell.of("32").numeric and not Cell.of("lstm").numeric and not Cell.of(None).numeric


PROBE = """<script>
onload = () => {
const table = document.querySelector("table.sortable");
const column = (place) => [...table.tBodies[0].rows].map((row) => row.cells[place].dataset.key);
const heads = [...table.tHead.rows[0].cells];
const at = heads.findIndex((head) => head.textContent === "mse");
const click = () => { heads[at].querySelector("button").click(); return column(at); };
const before = column(0), up = click(), down = click();
parent.document.body.dataset.probe = JSON.stringify({
  before, up, down, sort: heads[at].getAttribute("aria-sort"), window: innerWidth,
  wide: document.documentElement.scrollWidth, copy: document.querySelector(".copy").hidden,
  pictures: [...document.images].map((image) => image.naturalWidth > 0 && image.width <= innerWidth),
});
};
</script>"""


@pytest.mark.nightly
@pytest.mark.parametrize("width", [1200, 400])
def test_in_a_browser(study, tmp_path, width):
    names = ("chromium", "chromium-browser", "google-chrome")
    browser = next((found for name in names if (found := shutil.which(name))), None)
    if browser is None:
        pytest.skip(f"There is no browser here: none of {', '.join(names)}.")
    text = write_page(tmp_path / "r.html", [study, a_run(tmp_path / "run")]).read_text()
    # In a frame: a browser's window does not become as narrow as a telephone.
    probed = html.escape(text.replace("</body>", f"{PROBE}</body>"))
    frame = f'<body style="margin:0"><iframe style="border:0" width="{width}" height="4000" srcdoc="{probed}"></iframe>'
    (tmp_path / "frame.html").write_text(f"<!doctype html>{frame}", encoding="utf-8")
    picture = tmp_path / f"{width}.png"
    # The sandbox is no matter of the page, and cannot be had by root.
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={width},4000"]
    options += ["--virtual-time-budget=5000", f"--user-data-dir={tmp_path / 'profile'}"]

    def told(what):
        command = [browser, *options, what, (tmp_path / "frame.html").as_uri()]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout

    told(f"--screenshot={picture}")
    [body] = [found for tag, found in Page(told("--dump-dom")).tags if tag == "body"]
    assert picture.read_bytes().startswith(b"\x89PNG") and picture.stat().st_size > 50_000
    probe = json.loads(body["data-probe"])
    assert probe["window"] == width and probe["wide"] <= width
    assert all(probe["pictures"]) and len(probe["pictures"]) == 5
    assert probe["copy"] is False
    assert probe["before"] == [str(number) for number in range(10)]
    scores = sorted(float(key) for key in probe["up"] if key)
    assert [float(key) for key in probe["up"][:7]] == scores and probe["up"][7:] == [""] * 3
    assert [float(key) for key in probe["down"][:7]] == scores[::-1] and probe["down"][7:] == [""] * 3
    assert probe["sort"] == "descending"
