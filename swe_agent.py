"""The door: `main()` is the command `swe-agent`; the public names are what library users may import.

    from swe_agent import Issue, Repository, Settings, begin, reopen, solve

Everything is imported when it is first used.
"""

from __future__ import annotations

import sys
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Any

_PUBLIC = {
    "Issue": "trajectories.records",
    "Patch": "trajectories.records",
    "Step": "trajectories.records",
    "Verdict": "trajectories.records",
    "Trajectory": "trajectories.trajectory",
    "SweAgentError": "trajectories.errors",
    "Repository": "aci.repository",
    "Settings": "agent.settings",
    "load_settings": "agent.settings",
    "Engine": "agent.engine",
    "begin": "agent.solve",
    "reopen": "agent.solve",
    "solve": "agent.solve",
    "Result": "agent.solve",
}
__all__ = ["main", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def main() -> None:
    """The command line. Exits with the codes that README lists."""
    _only_our_floors()
    from agent.process_end import leave, prepare_streams

    prepare_streams()
    if isinstance(sys.stdout, TextIOWrapper) and "utf" not in sys.stdout.encoding.lower():
        sys.stdout.reconfigure(errors="replace")
    try:
        code = _run(sys.argv[1:])
    except KeyboardInterrupt:  # while the command line itself was still being imported
        from agent.cli import INTERRUPTED, fail

        code = fail(sys.argv[1:], *INTERRUPTED)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        if not isinstance(end.code, int | None):
            sys.stderr.write(f"{end.code}\n")
    except BaseException:  # noqa: BLE001 - a bug of swe-agent; print the usual traceback
        import traceback

        traceback.print_exc()
        code = 1
    leave(code)


def _run(arguments: list[str]) -> int:
    if not arguments:
        from agent.bare import run_bare

        return run_bare()
    from agent.cli import run

    return run(arguments)


def _only_our_floors() -> None:
    """A foreign `agent`, `aci`, `tools` or `trajectories` found first would be imported in our place."""
    home = Path(__file__).resolve().parent
    sys.path[:] = [str(home), *(entry for entry in sys.path if entry not in _python_path() and entry != str(home))]
    for floor in ("agent", "aci", "tools", "trajectories"):
        loaded = sys.modules.get(floor)
        file = getattr(loaded, "__file__", None)
        if loaded is not None and (file is None or not Path(file).resolve().is_relative_to(home)):
            sys.exit(f"swe-agent: another package named {floor!r} ({file}) is in the way; install swe-agent with pipx.")


def _python_path() -> set[str]:
    import os

    return {entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry}


if __name__ == "__main__":
    main()
