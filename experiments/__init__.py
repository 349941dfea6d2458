"""One question a file: run one with ``python -m experiments.NAME``, see its settings with ``--help``."""
