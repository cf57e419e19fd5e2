"""Whether a patch may be published, by the files that it makes: not by its own text, which can say anything.

A patch is refused whole for one thing that no fix of an issue needs and an attack does. What honest fixes need too, but
runs without anybody asking for it or is easily overlooked, is flagged, and stands first in the pull request.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from aci.cleaning import visible
from aci.view import mask
from agent.github.ci_names import ci_names, is_mentioned
from agent.github.contents import LARGEST_FILE, has_key, refused_content, unseen
from agent.github.runs_itself import why_flagged
from agent.github.unwelcome import collision, refused_name, refused_path, spellings

if TYPE_CHECKING:
    from aci.outbox import Changed

MOST_FILES = 100
MOST_BYTES = 20_000_000
"""Of all changed files together."""
MOST_TOLD = 10
BY_CI = "is named in the configuration of CI"
PLAIN = ("100644", "100755")
KINDS = {"120000": "a link", "160000": "a submodule"}


class Store(Protocol):
    """What holds both trees: an outbox."""

    def changes(self, base: str, tree: str) -> Sequence[Changed]: ...
    def paths(self, rev: str) -> tuple[str, ...]: ...
    def blob(self, id: str) -> bytes: ...
    def read(self, rev: str, path: str, limit: int = ...) -> bytes | None: ...
    def size(self, id: str) -> int: ...


@dataclass(frozen=True, slots=True)
class Findings:
    """`refused` says in a sentence each why the patch is not published; with none it may be. `flagged` are paths to
    look at first, and why, to complete "`path` …"."""

    refused: tuple[str, ...] = ()
    flagged: Mapping[str, str] = field(default_factory=dict)


def judge(store: Store, base: str, tree: str, size: int, largest: int, secrets: Collection[str] = ()) -> Findings:
    """What is wrong with a patch of `size` bytes that makes `tree` of `base`. `largest` is what a patch may have, in
    bytes; `secrets` are values that may stand nowhere."""
    changes = store.changes(base, tree)
    if refused := tuple(_too_much(changes, store, size, largest)):
        return Findings(refused)
    known = spellings(store.paths(tree))
    gone = {change.old for change in changes if not change.new_mode.strip("0")}
    flagged: dict[str, str] = {}
    named = ci_names(store, base)
    for change in changes:
        path, why = change.path, _refused_entry(change, store) or _refused_name(change, known, secrets)
        is_executable = PLAIN[1] in (change.old_mode, change.new_mode)
        flags = [why_flagged(path, is_executable) or (BY_CI if is_mentioned(path, named) else "")]
        if not change.new_mode.strip("0"):
            flags = [f"{flag} (removed)" for flag in flags if flag]
        elif change.new not in gone and not why:  # else it is moved
            was, now = store.blob(change.old) if change.old.strip("0") else None, store.blob(change.new)
            why = refused_content(was, now, secrets)
            flags.append(unseen(was, now))
        refused += (f"{mask(shown(path), secrets)}: {why}.",) if why else ()
        flagged |= {path: "; ".join(filter(None, flags))} if any(flags) else {}
    more = (f"And {len(refused) - MOST_TOLD} more.",) if len(refused) > MOST_TOLD else ()
    return Findings((*refused[:MOST_TOLD], *more), flagged)


def shown(path: str) -> str:
    """A path as it can stand in a comment: in code, in one line, without what is not seen."""
    return f"`{visible(path).replace('`', '')[:200]}`"


def _too_much(changes: Sequence[Changed], store: Store, size: int, largest: int) -> Iterator[str]:
    if not changes:
        yield "The patch changes nothing."
    if size > largest:
        yield f"The patch has {size:,} bytes; at most {largest:,} are published."
    if len(changes) > MOST_FILES:
        yield f"The patch changes {len(changes):,} files; at most {MOST_FILES} are published."
    elif sum(store.size(change.new) for change in changes if change.new_mode in PLAIN) > MOST_BYTES:
        yield f"The changed files have more than {MOST_BYTES:,} bytes together."


def _refused_entry(change: Changed, store: Store) -> str:
    """What is wrong by path, kind, mode and size alone."""
    if why := refused_path(change.path):
        return why
    there = [
        (mode, id) for mode, id in ((change.old_mode, change.old), (change.new_mode, change.new)) if mode.strip("0")
    ]
    for mode, id in there:
        if mode not in PLAIN:
            return f"it is {KINDS.get(mode, 'no file')}"
        if change.new_mode in PLAIN and (size := store.size(id)) > LARGEST_FILE:
            return f"it has {size:,} bytes"
    if there[0][0] != there[-1][0] or (change.status == "A" and change.new_mode != PLAIN[0]):
        return "it is made executable" if change.new_mode == PLAIN[1] else "it is executable no more"
    return ""


def _refused_name(change: Changed, known: Mapping[str, frozenset[str]], secrets: Collection[str]) -> str:
    """What is wrong with a new file of this name."""
    if change.status != "A":
        return ""
    if why := refused_name(change.path):
        return why
    if has_key(change.path, secrets):
        return "the name holds what looks like a key or a password"
    other = collision(change.path, known)
    return f"where case does not count it is the same as {shown(other)}" if other else ""
