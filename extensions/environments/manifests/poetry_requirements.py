"""Conversion of Poetry's requirements to PEP 508."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_VERSION = re.compile(r"\d{1,9}(?:\.\d{1,9})*")


def convert_requirements(dependencies: Mapping[str, Any]) -> list[str]:
    """Return the requirements for pip, without those from git, a path or a URL and without Python itself."""
    found = []
    for name, wanted in dependencies.items():
        for one in wanted if isinstance(wanted, list) else [wanted]:
            table = one if isinstance(one, dict) else {"version": one}
            version = table.get("version")
            if name.lower() == "python" or not isinstance(version, str):
                continue
            extras = ",".join(extra for extra in table.get("extras") or () if isinstance(extra, str))
            marker = table.get("markers")
            line = f"{name}{f'[{extras}]' if extras else ''}{convert_specifier(version)}"
            found.append(f"{line}; {marker}" if isinstance(marker, str) else line)
    return found


def convert_specifier(written: str) -> str:
    """Return a PEP 440 specifier: `^1.2` is `>=1.2,<2`, `~1.2.3` is `>=1.2.3,<1.3`, `1.2` is `==1.2`, `*` is empty."""
    return ",".join(filter(None, (_part(part.strip()) for part in written.split("||")[0].split(","))))


def _part(part: str) -> str:
    number = _VERSION.search(part)
    if number is None:
        return ""
    digits = [int(digit) for digit in number.group().split(".")]
    if part.startswith("^"):
        first = next((at for at, digit in enumerate(digits) if digit), len(digits) - 1)
        return f">={part[1:].strip()},<{_next(digits, first)}"
    if part.startswith("~") and not part.startswith("~="):
        return f">={part[1:].strip()},<{_next(digits, min(1, len(digits) - 1))}"
    return part.replace(" ", "") if part[0] in "<>=!~" else f"=={part}"


def _next(digits: list[int], at: int) -> str:
    return ".".join(str(digit) for digit in [*digits[:at], digits[at] + 1])
