"""Every code block of README.md runs, or (commands that CI runs itself) is checked to name what is there."""

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```\s*$", re.MULTILINE | re.DOTALL)
SECONDS = 240


def blocks() -> list[tuple[str, str]]:
    """(language, text) of each block, in order."""
    return BLOCK.findall(README.read_text(encoding="utf-8")) if README.exists() else []


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
    assert {language for language, _ in blocks()} <= {"python", "bash", "text"}


@pytest.mark.parametrize("number", range(len(of("python"))))
def test_python_block_runs(number: int, tmp_path: Path) -> None:
    block = tmp_path / f"readme_block_{number + 1}.py"
    block.write_text(of("python")[number], encoding="utf-8")
    run(str(block), cwd=tmp_path)


@pytest.mark.parametrize("line", [line for text in of("bash") for line in text.splitlines() if line.strip()])
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
        case _:
            pytest.fail(f"No rule here checks {line!r}: add one.")
