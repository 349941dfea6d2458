"""Cells and their weights from and to other formats; each file needs its own package, and only where it is used."""
