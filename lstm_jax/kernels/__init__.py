"""Kernels of devices, each equal to the plain scan where it runs."""
