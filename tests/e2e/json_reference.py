"""The keys that docs/reference/json.md names, compared with what commands print."""

import re
from functools import cache
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "json.md"
TABLE = re.compile(r"^((?:`[a-z ]+`,? ?)+)([^\n]*)\n\n((?:\|.*\n)+)", re.MULTILINE)
ROW = re.compile(r"^\| `([\w.]+)` \| ([^|]+) \|", re.MULTILINE)
SAME_AS_FIX = "prints the same object"


@cache
def documented_keys() -> dict[str, dict[str, bool]]:
    """Return the keys of each command, such as `run` and `verdict.kind`, and whether the page says `always`."""
    found: dict[str, dict[str, bool]] = {}
    for commands, rest, table in TABLE.findall(PAGE.read_text("utf-8")):
        keys = {name: when == "always" for name, when in ROW.findall(table)}
        if rest.startswith(SAME_AS_FIX):
            keys |= found["fix"]
        found.update(dict.fromkeys(re.findall(r"`([a-z ]+)`", commands), keys))
    return found


def check_keys(arguments: tuple[str, ...], printed: dict) -> None:
    """Fail if a command prints a key that the page does not name, or lacks one that is always present."""
    commands = (" ".join(arguments[:2]), arguments[0])
    keys = next((documented_keys()[each] for each in commands if each in documented_keys()), None)
    if keys is None or set(printed) == {"error"}:
        return
    whole = {name.partition(".")[0] for name in keys}  # objects whose keys are rows of their own
    nested = {name.partition(".")[0] for name in keys if "." in name} & set(printed)
    shown = {*printed, *(f"{top}.{name}" for top in nested for name in printed[top])}
    surplus = shown - keys.keys() - whole
    missing = {name for name, is_always in keys.items() if is_always} - shown
    assert not surplus, f"{PAGE.name} lacks {sorted(surplus)}, which `{commands[0]} --json` prints"
    assert not missing, f"`{commands[0]} --json` lacks {sorted(missing)}, which {PAGE.name} names"
