"""Conversion of plain option values without pydantic, whose import takes longer than most commands.

Typer converts each value with pydantic, also texts, and options that are not given. All other values are left to it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class PlainConversion:
    """The conversion of one parameter's values; `usual` returns Typer's own."""

    usual: Callable[[], Any]

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return a value as Typer would. Raises what it would."""
        annotation, info = param.type_descriptor.annotation, param.type_descriptor.parameter_info
        if param.nargs == 1 and not param.multiple and info.parser is None:
            if value is None or (annotation in (str, int) and value is param.default and type(value) is annotation):
                return value
            if annotation is str and type(value) is str:
                return value
            if annotation is Path and type(value) is str and _needs_no_check(Path(value), info):
                return Path(value)
        return self.usual().coerce(value, param=param, ctx=ctx)


def _needs_no_check(path: Path, info: Any) -> bool:
    """Return whether a path with these settings is accepted whatever it names."""
    asked = info.exists or info.writable or info.resolve_path or not (info.file_okay and info.dir_okay)
    return not asked and (os.access(path, os.R_OK) or not os.path.lexists(path))


def convert_plainly(param: Any) -> None:
    """Let a Typer parameter convert plain values without pydantic."""
    usual = param.get_runtime_param
    param.get_runtime_param = lambda: PlainConversion(usual)
