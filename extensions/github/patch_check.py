"""Checks whether a patch may be published, based on the resulting files rather than the text of the diff.

The whole patch is refused if it has a change that an attack needs and a fix does not. Changes that honest fixes may
also need, but that run automatically or are easily overlooked, are flagged and listed first in the pull request.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from aci.observation.secret_masking import mask_secrets
from aci.observation.untrusted_text import escape_invisible
from agent.patch_checks.autorun_files import BY_CI, ci_names, is_mentioned, why_flagged
from agent.patch_checks.forbidden_contents import LARGEST_FILE, content_refusal, has_key, invisible_content
from agent.patch_checks.protected_paths import case_collision, name_refusal, path_refusal, spellings

if TYPE_CHECKING:
    from extensions.github.pull_request.publish_store import ChangedPath

MOST_FILES = 100
MOST_BYTES = 20_000_000
"""Maximum size in bytes of all changed files together."""
MOST_REASONS = 10
PLAIN = ("100644", "100755")
KINDS = {"120000": "a link", "160000": "a submodule"}


class Store(Protocol):
    """The store that holds both trees, such as `PublishStore`."""

    def changes(self, base: str, tree: str) -> Sequence[ChangedPath]: ...
    def paths(self, rev: str) -> tuple[str, ...]: ...
    def blob(self, id: str) -> bytes: ...
    def read(self, rev: str, path: str, limit: int = ...) -> bytes | None: ...
    def size(self, id: str) -> int: ...


@dataclass(frozen=True, slots=True)
class PatchFindings:
    """Result of the check. `refused` lists the reasons why the patch may not be published.

    `flagged` maps each path that should be reviewed first to the reason, which completes a sentence that starts with
    the path.
    """

    refused: tuple[str, ...] = ()
    flagged: Mapping[str, str] = field(default_factory=dict)


def check_patch(
    store: Store, base: str, tree: str, size: int, largest: int, secrets: Collection[str] = ()
) -> PatchFindings:
    """Check a patch of `size` bytes that turns `base` into `tree`.

    `largest` is the maximum size of a patch in bytes; `secrets` are values that must not occur anywhere.
    """
    changes = store.changes(base, tree)
    if refused := tuple(_size_problems(changes, store, size, largest)):
        return PatchFindings(refused)
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
        elif change.new not in gone and not why:  # the content of moved files is not checked
            was, now = store.blob(change.old) if change.old.strip("0") else None, store.blob(change.new)
            why = content_refusal(was, now, secrets)
            flags.append(invisible_content(was, now))
        refused += (f"{mask_secrets(format_path(path), secrets)}: {why}.",) if why else ()
        flagged |= {path: "; ".join(filter(None, flags))} if any(flags) else {}
    more = (f"And {len(refused) - MOST_REASONS} more.",) if len(refused) > MOST_REASONS else ()
    return PatchFindings((*refused[:MOST_REASONS], *more), flagged)


def format_path(path: str) -> str:
    """Format a path for a comment: as code, on one line, without invisible characters."""
    return f"`{escape_invisible(path).replace('`', '')[:200]}`"


def _size_problems(changes: Sequence[ChangedPath], store: Store, size: int, largest: int) -> Iterator[str]:
    if not changes:
        yield "The patch changes nothing."
    if size > largest:
        yield f"The patch has {size:,} bytes; at most {largest:,} are published."
    if len(changes) > MOST_FILES:
        yield f"The patch changes {len(changes):,} files; at most {MOST_FILES} are published."
    elif sum(store.size(change.new) for change in changes if change.new_mode in PLAIN) > MOST_BYTES:
        yield f"The changed files have more than {MOST_BYTES:,} bytes together."


def _refused_entry(change: ChangedPath, store: Store) -> str:
    """Return why the change is refused because of its path, file type, mode or size; "" if it is not."""
    if why := path_refusal(change.path):
        return why
    there = [
        (mode, id) for mode, id in ((change.old_mode, change.old), (change.new_mode, change.new)) if mode.strip("0")
    ]
    for mode, id in there:
        if mode not in PLAIN:
            return f"it is {KINDS.get(mode, 'not a file')}"
        if change.new_mode in PLAIN and (size := store.size(id)) > LARGEST_FILE:
            return f"it has {size:,} bytes"
    if there[0][0] != there[-1][0] or (change.status == "A" and change.new_mode != PLAIN[0]):
        return "it becomes executable" if change.new_mode == PLAIN[1] else "it is no longer executable"
    return ""


def _refused_name(change: ChangedPath, known: Mapping[str, frozenset[str]], secrets: Collection[str]) -> str:
    """Return why a new file of this name is refused; "" if it is not."""
    if change.status != "A":
        return ""
    if why := name_refusal(change.path):
        return why
    if has_key(change.path, secrets):
        return "the name contains what looks like a key or a password"
    other = case_collision(change.path, known)
    return f"on a case-insensitive file system it is the same as {format_path(other)}" if other else ""
