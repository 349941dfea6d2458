"""What of a study is refused: passwords, names, folders that are none, commands that mean nothing."""

import pytest

from lstm_jax.sweep import Study, prepare
from lstm_jax.sweep.command import sweep_command
from lstm_jax.train import RunError
from tests.sweep.made import LINE, asked, worked

pytest.importorskip("tyro")
pytest.importorskip("optuna")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://me:secret@host/db", "A password in --storage could be read by everybody"),
        ("postgresql://host/db?user=me&password=secret", "A password in --storage could be read by everybody"),
        ("mysql://host/db", "--storage takes a postgresql://USER@HOST/DATABASE"),
    ],
)
def test_a_password_is_refused_where_others_could_read_it(tmp_path, url, sentence):
    with pytest.raises(RunError) as refused:
        prepare(asked(), study=tmp_path / "study", storage=url)
    assert sentence in str(refused.value) and "secret" not in str(refused.value)
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize("name", ["a b", ".hidden", "a;b"])
def test_a_study_has_a_name_of_its_own(tmp_path, name):
    with pytest.raises(RunError, match="is no name for a study"):
        prepare(asked(), study=tmp_path / name)


def test_a_trials_folder_is_in_the_study_whatever_the_database_says(tmp_path):
    study = prepare(asked(trials=1), study=tmp_path / "study")
    study.optuna.enqueue_trial({"optimizer.learning_rate": 0.1}, user_attrs={"number": "../../elsewhere"})
    with pytest.raises(RunError, match=r"The database names a trial '\.\./\.\./elsewhere'"):
        study.claim(5)


def test_who_only_looks_makes_no_database(tmp_path):
    study = worked(tmp_path / "study", trials=2)[0]
    (study.folder / "study.db").unlink()
    with pytest.raises(
        RunError, match=r"has lost its database study\.db: the command that began the study makes it anew"
    ):
        sweep_command(["--status", str(study.folder)])
    assert not (study.folder / "study.db").exists()
    again, trials, _ = worked(study.folder, trials=2)
    assert [trial.state for trial in trials] == ["done", "done"] and again.name == study.name


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--workers", "-1"], "workers must be at least 0, and hours above 0; got "),
        (["--hours", "0"], "workers must be at least 0, and hours above 0; got "),
        (["--", "--seed", "3"], "The seeds of the runs are the sweep's: --seeds N"),
        (["--", "--start", "1"], "start is varied by --space and fixed by --start: one of the two."),
        (["--retry", "failed"], "Of which study? --retry failed --study STUDY"),
    ],
)
def test_a_command_that_means_nothing_leaves_nothing_behind(tmp_path, monkeypatch, words, sentence):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError) as refused:
        sweep_command([LINE, "--space", "start=0,1", "--sampler", "grid", *words])
    assert sentence in str(refused.value)
    assert not (tmp_path / "sweeps").exists()


@pytest.mark.parametrize("said", ["abc", "-1", "nan"])
def test_a_patience_that_is_no_number_is_refused_before_anything_is_made(tmp_path, monkeypatch, said):
    monkeypatch.setenv("LSTM_JAX_PATIENCE", said)
    with pytest.raises(RunError, match=f"LSTM_JAX_PATIENCE is a number of seconds, .* got '{said}'"):
        prepare(asked(), study=tmp_path / "study")
    assert not (tmp_path / "study").exists()


def test_a_folder_that_holds_a_run_gets_no_study(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text("{}")
    with pytest.raises(RunError, match="run holds a run: choose another --study"):
        prepare(asked(), study=tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["config.json"]


def test_what_is_no_study_is_told(tmp_path):
    with pytest.raises(RunError, match=r"holds no study: it has no study\.json"):
        sweep_command(["--status", str(tmp_path)])
    (tmp_path / "study.json").write_text("{}")
    with pytest.raises(RunError, match=r"study\.json is damaged: KeyError 'sweep'"):
        sweep_command(["--status", str(tmp_path)])
    study = prepare(asked(trials=1), study=tmp_path / "study")
    assert Study.find(f"sqlite:///{study.folder}/study.db").folder == study.folder
