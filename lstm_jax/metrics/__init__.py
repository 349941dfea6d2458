"""Scores of forecasts, classes and alarms, in NumPy: one kind a file."""
