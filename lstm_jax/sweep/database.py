"""Optuna's database: SQLite in the study's folder, or PostgreSQL."""

import os
import re
import sqlite3
import warnings
from typing import Any
from urllib.parse import quote

from lstm_jax.train.errors import RunError

STORAGE = "LSTM_JAX_STORAGE"
"""The environment variable that holds a database's URL with its password: on a command line everybody could read it."""


def import_optuna() -> Any:
    """Optuna, without its log.

    Raises:
        RunError: it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise RunError("Sweeps need the extra packages of pip install 'lstm-jax[sweep]'.") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", module="optuna")
    return optuna


def open_storage(url: str, *, make: bool = True) -> Any:
    """The database at a URL, its tables made if they are not there.

    Args:
        url: of SQLite or PostgreSQL.
        make: False: nothing is made, and SQLite's file is opened to be read alone.
    """
    from sqlalchemy.pool import NullPool

    if url.startswith("sqlite"):  # many processes write: each waits for its turn
        options: dict[str, Any] = {"timeout": 60}
    else:
        url = re.sub(r"^postgres(ql)?(\+psycopg)?://", "postgresql+psycopg://", os.environ.get(STORAGE) or url)
        options = {"connect_timeout": 10}
    # No connection outlives its use: a server may go away between two, and a cluster has many workers.
    engine: dict[str, Any] = {"poolclass": NullPool, "connect_args": options}
    if url.startswith("sqlite") and not make:
        file = f"file:{quote(url.removeprefix('sqlite:///'))}?mode=ro"
        engine["creator"] = lambda: sqlite3.connect(file, uri=True, timeout=60)
    return import_optuna().storages.RDBStorage(url, engine_kwargs=engine, skip_table_creation=not make)


def folders_of(url: str) -> dict[str, str]:
    """Where the studies of a database are kept, by name."""
    storage = open_storage(url)
    names = import_optuna().get_all_study_names(storage)
    loaded = {name: import_optuna().load_study(study_name=name, storage=storage).user_attrs for name in names}
    return {name: attrs["folder"] for name, attrs in loaded.items() if "folder" in attrs}


def refuse_password(url: str) -> None:
    """Refuse a URL that is none of PostgreSQL, or that holds a password.

    Raises:
        RunError: says where a password belongs.
    """
    if not url:
        return
    if not re.match(r"postgres(ql)?(\+psycopg)?://", url):
        raise RunError(
            "--storage takes a postgresql://USER@HOST/DATABASE; without it the study is kept in SQLite in its folder."
        )
    if re.match(r"[^/]*//[^/@]*:[^/@]*@", url) or "password=" in url:
        raise RunError(
            "A password in --storage could be read by everybody in the list of processes: leave it out there, and put "
            f"it into ~/.pgpass or PGPASSWORD, or the whole URL into {STORAGE}."
        )
