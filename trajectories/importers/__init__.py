"""Trajectories that other programs recorded, as records of ours, to be read and never gone on with.

A format is a file here: `reads(data)` says whether a parsed file has its form, `load(data, name)` makes the material.
What such a file says is anybody's words: sizes and depth are limited, and nothing in it is a path, pattern or command
to us. Nobody proved what it calls solved, so no verdict comes of it.
"""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

from trajectories.errors import UsageError
from trajectories.limits import check_values, read_limited
from trajectories.material import Material
from trajectories.plugins import names

ENDINGS = (".traj", ".json")


def is_file_name(name: str) -> bool:
    """Whether a user means a file by this name, not a run or its folder."""
    return name.endswith(ENDINGS) or ("/" in name and _is_file(name))


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except OSError:  # a name too long
        return False


def load(path: Path) -> Material:
    """The trajectory in a file. Raises UsageError for a file that cannot be read, or is of no form that we know."""
    data = _parsed(path)
    modules = (import_module(module) for module in names(__name__).values())
    for module in modules:
        if module.reads(data):
            found: Material = module.load(data, path.name.removesuffix(".json").removesuffix(".traj"))
            return found
    raise UsageError(f"{path} holds no trajectory of a kind that we know.", f"Known are {_known()}.")


def _known() -> str:
    return " and ".join(import_module(module).WHAT for module in names(__name__).values())


def _parsed(path: Path) -> Any:
    try:
        if not path.is_file():
            raise UsageError(f"There is no file {path}.", "Name a trajectory's file, or a run as `runs` shows it.")
        data = read_limited(path)
        check_values(data, str(path))
        return json.loads(data.decode("utf-8", "replace"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", "Name another file.") from None
    except RecursionError:
        raise UsageError(f"{path} is nested too deep.", "No trajectory is; read another file.") from None
    except ValueError:
        raise UsageError(f"{path} is not JSON.", f"Known are {_known()}.") from None
