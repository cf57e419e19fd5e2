"""Formats of other programs from which trajectories are imported, one module each (`trajectories/importers.py`)."""
