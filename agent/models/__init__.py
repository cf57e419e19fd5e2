"""Model backends, one module per kind: `scripted:FILE` is `scripted.py`, `replay:RUN` is in `extensions/replay`."""
