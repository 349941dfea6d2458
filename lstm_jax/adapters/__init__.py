"""Cells inside the models of neural-network libraries."""
