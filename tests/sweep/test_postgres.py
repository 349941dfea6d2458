"""A study in PostgreSQL, against a real server; skipped where none is installed."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lstm_jax.sweep import Study, Sweep, prepare, work
from lstm_jax.sweep import patience as patience_module
from lstm_jax.sweep.command import sweep_command
from lstm_jax.train import RunError

pytest.importorskip("tyro")
pytest.importorskip("optuna")
pytest.importorskip("psycopg")

LINE = str(Path(__file__).with_name("line.py"))
ROOT = Path(__file__).parents[2]
PASSWORD = "not-to-be-seen"
pytestmark = pytest.mark.proof


class Server:
    """A server of its own, on a socket in its folder."""

    def __init__(self, folder: Path, port: int) -> None:
        # It refuses to run as root.
        self.user = "nobody" if os.geteuid() == 0 else None
        self.folder, self.port = folder, port
        name = self.user or pwd.getpwuid(os.geteuid()).pw_name
        folder.mkdir()
        if self.user:
            shutil.chown(folder, self.user)
        password = folder / "password"
        password.write_text(PASSWORD)
        self.url = f"postgresql://{name}@localhost:{port}/postgres"
        self._run("initdb", "-D", folder / "data", "-U", name, "-A", "scram-sha-256", "--pwfile", password)
        self.start()

    def _run(self, *command):
        subprocess.run(
            list(map(str, command)), check=True, capture_output=True, user=self.user, cwd=self.folder, timeout=120
        )

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -c fsync=off"
        self._run("pg_ctl", "-D", self.folder / "data", "-w", "-l", self.folder / "log", "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", self.folder / "data", "-m", "immediate", "stop")


@pytest.fixture(scope="module")
def server():
    missing = [name for name in ("initdb", "pg_ctl", "postgres") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"PostgreSQL's server is not installed: there is no {', '.join(missing)}")
    import socket
    import tempfile

    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="pg") as place:  # short: the socket's path has a limit
        Path(place).chmod(0o755)
        made = Server(Path(place) / "server", port)
        yield made
        made.stop()


def _sweep(**settings):
    space = ("optimizer.learning_rate=log:1e-3..0.3",)
    return Sweep(**({"experiment": LINE, "space": space, "trials": 4, "sampler": "random"} | settings))


def test_a_study_in_postgresql(server, tmp_path, monkeypatch, capsys):
    """As in SQLite, with the same draws; the password comes from the environment and is nowhere to be read."""
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    study = prepare(_sweep(), study=tmp_path / "one", storage=server.url)
    assert Study.find(server.url).folder == study.folder.resolve()
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "lstm_jax", "sweep", "--join", server.url]
    workers = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    seen = ""
    while any(worker.poll() is None for worker in workers):
        seen += "".join(p.read_text(errors="replace") for p in Path("/proc").glob(f"{workers[0].pid}/cmdline"))
        time.sleep(0.1)
    told = [worker.communicate()[1] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], told
    here = prepare(_sweep(), study=tmp_path / "here")
    work(here.folder, told=[].append)
    ours, theirs = ([(t.state, t.values, t.value) for t in s.trials()] for s in (study, here))
    assert ours == theirs
    assert ours[0][0] == "done"
    said = "".join([*told, seen, sweep_command(["--status", str(study.folder)]), capsys.readouterr().err])
    files = [path.read_bytes() for path in study.folder.rglob("*") if path.is_file()]
    assert PASSWORD not in said and not any(PASSWORD.encode() in content for content in files)
    prepare(_sweep(), study=tmp_path / "two", storage=server.url)
    with pytest.raises(RunError, match="Which study\\? --study NAME; the database has: one, two"):
        Study.find(server.url)
    assert Study.find(server.url, "two").name == "two"


def test_the_url_with_its_password_may_be_in_the_environment(server, tmp_path, monkeypatch):
    monkeypatch.delenv("PGPASSWORD", raising=False)
    monkeypatch.setenv("LSTM_JAX_STORAGE", server.url.replace("@", f":{PASSWORD}@"))
    study = prepare(_sweep(trials=1), study=tmp_path / "three", storage=server.url)
    assert PASSWORD not in (study.folder / "study.json").read_text()
    monkeypatch.setenv("LSTM_JAX_STORAGE", server.url.replace("@", ":wrong@"))
    monkeypatch.setenv("LSTM_JAX_PATIENCE", "0")
    with pytest.raises(RunError, match="password authentication failed") as refused:
        Study(study.folder)
    assert "wrong" not in str(refused.value)


def test_a_server_that_goes_away_is_waited_for(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    monkeypatch.setattr(patience_module, "FIRST", 0.2)
    study = prepare(_sweep(trials=3), study=tmp_path / "four", storage=server.url)
    server.stop()
    back = threading.Timer(3.0, server.start)
    back.start()
    try:
        work(study.folder, told=[].append)
    finally:
        back.join()
    assert [trial.state for trial in study.trials()] == ["done"] * 3
    assert "The study's database refuses" in capsys.readouterr().err
    server.stop()
    try:
        study.patience = 1.0
        with pytest.raises(RunError, match=r"Everything up to here is saved; the same command goes on\."):
            study.trials()
    finally:
        server.start()


def test_signals_reach_a_worker(server, tmp_path, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    question = _sweep(trials=1, fixed=("--steps", "200000"))
    study = prepare(question, study=tmp_path / "five", storage=server.url)
    command = [sys.executable, "-m", "lstm_jax", "sweep", "--join", str(study.folder)]
    worker = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True)
    metrics = study.trial_folder(0) / "seed-0" / "metrics.jsonl"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (metrics.exists() and metrics.stat().st_size):
        time.sleep(0.1)
    worker.send_signal(signal.SIGTERM)
    said = worker.communicate(timeout=60)[1]
    assert worker.returncode == 143, said
    assert study.trials()[0].state == "stopped"
