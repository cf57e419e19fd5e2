"""The entry point: `main()` is the command `swe-agent`, and the public names are the library's API.

    from swe_agent import Issue, Repository, Settings, begin, reopen, solve

Everything is imported on first use.
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
    "Repository": "aci.repository.user_repository",
    "Settings": "agent.config.settings",
    "load_settings": "agent.config.settings",
    "Engine": "agent.engine.engine",
    "begin": "agent.engine.run_lifecycle",
    "reopen": "agent.engine.run_lifecycle",
    "solve": "agent.github.pull_request.publish",
    "Result": "agent.engine.run_result",
}
__all__ = ["main", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def main() -> None:
    """Run the command line and exit with one of the codes that the README lists."""
    _import_own_packages()
    from agent.console.process_end import exit_process, prepare_streams

    prepare_streams()
    if isinstance(sys.stdout, TextIOWrapper) and "utf" not in sys.stdout.encoding.lower():
        sys.stdout.reconfigure(errors="replace")
    try:
        code = _run(sys.argv[1:])
    except KeyboardInterrupt:  # interrupted while the command line was being imported
        from agent.console.error_report import INTERRUPTED, report_error

        code = report_error(sys.argv[1:], *INTERRUPTED)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        if not isinstance(end.code, int | None):
            sys.stderr.write(f"{end.code}\n")
    except BaseException:  # noqa: BLE001 - a bug of swe-agent; print the usual traceback
        import traceback

        traceback.print_exc()
        code = 1
    exit_process(code)


def _run(arguments: list[str]) -> int:
    if not arguments:
        from agent.cli.default_command import run_bare

        return run_bare()
    from agent.cli.command_line import run

    return run(arguments)


def _import_own_packages() -> None:
    """Make sure that `agent`, `aci`, `tools` and `trajectories` are imported from here, not from other packages."""
    home = Path(__file__).resolve().parent
    sys.path[:] = [str(home), *(entry for entry in sys.path if entry not in _python_path() and entry != str(home))]
    for package in ("agent", "aci", "tools", "trajectories"):
        loaded = sys.modules.get(package)
        file = getattr(loaded, "__file__", None)
        if loaded is not None and (file is None or not Path(file).resolve().is_relative_to(home)):
            sys.exit(f"swe-agent: another package is named {package!r} ({file}); install swe-agent with pipx.")


def _python_path() -> set[str]:
    import os

    return {entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry}


if __name__ == "__main__":
    main()
