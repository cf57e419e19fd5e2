"""Import of trajectories from other programs, converted to this program's records. Imported trajectories are read-only
and cannot be resumed.

Each format is a module in which `reads(data)` returns whether a parsed file has this format, and `load(data, name)`
returns the run: a plug-in of `trajectories.importers`, such as those in the extension lab. The content of a file is
untrusted: sizes and depth are limited, and nothing in it is used as a path, pattern or command. A trajectory may claim
to solve its issue, but this was not proven, so it gets no verdict.
"""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

from trajectories.errors import UsageError
from trajectories.file_limits import check_values, read_limited
from trajectories.plugins import missing_extension, names
from trajectories.trajectory import RunView

ENDINGS = (".traj", ".json", ".jsonl")


def is_file_name(name: str) -> bool:
    """Return whether a name given by the user refers to a file rather than to a run or its folder."""
    return name.endswith(ENDINGS) or ("/" in name and _is_file(name))


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except OSError:  # the name is too long
        return False


def load(path: Path) -> RunView:
    """Return the trajectory in a file. Raises UsageError if it cannot be read or its format is unknown."""
    modules = _formats()
    data = _parsed(path)
    for module in modules:
        if module.reads(data):
            found: RunView = module.load(data, path.name.removesuffix(".json").removesuffix(".traj"))
            return found
    raise UsageError(f"{path} is not a trajectory in a known format.", f"Known formats: {_known()}.")


def _known() -> str:
    return " and ".join(module.WHAT for module in _formats())


def _formats() -> list[Any]:
    """Return the modules of the formats. Raises UsageError if none is installed."""
    if modules := names(__name__):
        return [import_module(module) for module in modules.values()]
    raise missing_extension("Reading another program's trajectory", "lab")


def _parsed(path: Path) -> Any:
    try:
        if not path.is_file():
            raise UsageError(f"There is no file {path}.", "Name a trajectory file, or a run that `runs` lists.")
        data = read_limited(path)
        check_values(data, str(path))
        return json.loads(data.decode("utf-8", "replace"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", "Name another file.") from None
    except RecursionError:
        raise UsageError(f"{path} is nested too deeply for a trajectory.", "Name another file.") from None
    except ValueError:
        raise UsageError(f"{path} is not JSON.", f"Known formats: {_known()}.") from None
