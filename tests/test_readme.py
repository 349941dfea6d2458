"""Every code block of README.md and of two pages of docs/ runs, or (a command) is checked to name what is there."""

import functools
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "README.md", ROOT / "docs" / "sweeps.md", ROOT / "docs" / "applications.md")
BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```\s*$", re.MULTILINE | re.DOTALL)
SECONDS = 240


def blocks() -> list[tuple[str, str]]:
    """(language, text) of each block, in order."""
    # A wheel's tests have no pages.
    return [block for page in PAGES if page.exists() for block in BLOCK.findall(page.read_text(encoding="utf-8"))]


def of(*languages: str) -> list[str]:
    return [text for language, text in blocks() if language in languages]


def run(*arguments: str, cwd: Path = ROOT) -> str:
    command = [sys.executable, *arguments]
    # As a reader would run it, not with the suite's settings of the compiler.
    env = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    done = subprocess.run(command, cwd=cwd, env=env, check=False, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_there_is_something_to_run() -> None:
    assert of("python"), "README.md has no python block."
    assert of("bash"), "README.md has no bash block."


def test_every_block_is_of_a_kind_that_is_tested() -> None:
    assert {language for language, _ in blocks()} <= {"python", "bash", "text", "toml"}


@pytest.mark.proof
@pytest.mark.parametrize("number", range(len(of("python"))))
def test_python_block_runs(number: int, tmp_path: Path) -> None:
    block = tmp_path / f"readme_block_{number + 1}.py"
    block.write_text(of("python")[number], encoding="utf-8")
    run(str(block), cwd=tmp_path)


def commands() -> list[str]:
    """The commands of all blocks, each on one line."""
    return [line for text in of("bash") for line in text.replace("\\\n", " ").splitlines() if line.strip()]


@functools.cache
def sweep_flags() -> frozenset[str]:
    return frozenset(re.findall(r"--[\w-]+", run("-m", "lstm_jax", "sweep", "--help")))


@pytest.mark.parametrize("line", commands())
def test_command_names_what_is_there(line: str) -> None:
    words = line.split("  #")[0].split()
    match words:
        case ["#", *_] | ["cd", _] | ["git", "clone", *_]:
            pass
        case ["bash", script, *_]:
            assert (ROOT / script).is_file(), f"There is no {script}."
        case ["pip", "install", *rest]:
            extras = {extra for word in rest for names in re.findall(r"\[(.+)\]", word) for extra in names.split(",")}
            known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
            assert extras <= set(known)
        case ["python", "-m", module, *rest]:
            assert importlib.util.find_spec(module), f"There is no module {module}."
            flags = [word for word in rest if word.startswith("--")]
            told = run("-m", module, *[word for word in rest if word.startswith("cell:")], "--help")
            assert not [flag for flag in flags if flag not in told]
        case ["lstm-jax", "sweep", *rest]:
            ours = rest[: rest.index("--")] if "--" in rest else rest
            assert not {word.split("=")[0] for word in ours if word.startswith("--")} - sweep_flags()
            assert not ours[0].startswith("experiments.") or importlib.util.find_spec(ours[0])
        case ["lstm-jax", "report" | "compare", _, *_]:
            pass
        case ["export", assignment]:
            assert re.match(r"[A-Z_]+=", assignment)
        case _:
            pytest.fail(f"No rule here checks {line!r}: add one.")


@pytest.mark.parametrize("text", of("toml"))
def test_a_sweep_in_a_file_means_something(text: str, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    (tmp_path / "sweep.toml").write_text(text, encoding="utf-8")
    study = str(tmp_path / "study")
    told = run("-m", "lstm_jax", "sweep", str(tmp_path / "sweep.toml"), "--study", study, "--hours", "1e-9")
    assert "0/12 trials" in told
