"""The entry point of the command `swe-agent`. Everything else is imported when it is first used."""

from __future__ import annotations

import os
import sys
from io import TextIOWrapper
from pathlib import Path


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
        from agent.cli.default_command import COMPLETE, run_bare

        if COMPLETE not in os.environ:
            return run_bare()
    from agent.cli.command_line import run

    return run(arguments)


def _import_own_packages() -> None:
    """Make sure that the own packages, which have common names, are imported from here and not from elsewhere."""
    home = Path(__file__).resolve().parents[1]
    sys.path[:] = [str(home), *(entry for entry in sys.path if entry not in _python_path() and entry != str(home))]
    for package in ("agent", "aci", "tools", "trajectories", "extensions"):
        loaded = sys.modules.get(package)
        file = getattr(loaded, "__file__", None)
        if loaded is not None and (file is None or not Path(file).resolve().is_relative_to(home)):
            sys.exit(f"swe-agent: another package is named {package!r} ({file}); install swe-agent with pipx.")


def _python_path() -> set[str]:
    return {entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry}
