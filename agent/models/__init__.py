"""Models by file name: `scripted:FILE` is `scripted.py`, `replay:RUN` is `replay.py`."""
