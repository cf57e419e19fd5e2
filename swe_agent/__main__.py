"""The command as `python -m swe_agent`, or `python PATH/swe_agent`, which needs no installation."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    if not __package__:  # started by its path, so the first entry of sys.path is the package itself, not its parent
        sys.path[0] = str(Path(__file__).resolve().parents[1])
    from swe_agent import main

    main()
