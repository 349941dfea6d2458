"""Weights from and to other frameworks and formats; each file needs its own package, and only where it is used."""
