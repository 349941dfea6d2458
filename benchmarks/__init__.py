"""The benchmark: what ``python scripts/benchmark.py`` runs."""
