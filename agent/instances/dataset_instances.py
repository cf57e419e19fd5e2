"""The instances of a batch, as data files name them, and what is chosen of them.

Fields are SWE-bench's (Lite, Verified, Multilingual, Multimodal, Loc-Bench, and data sets that name an image), or those
of own files: `id`, `repo`, `issue` or `text`, `base`, `test`, `image`. Several files may each say a part of the same
instances. A text file with the address of an issue a line will do, too.

Solvers are given an `Instance`, which has no room for solutions: fields with patches and tests are not even kept while
a file is read. Who judges asks for `read_golds`.
"""

from __future__ import annotations

import json
import re
from ast import literal_eval
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from agent.batch.addresses import listed
from agent.batch.place import Instance
from agent.batch.rows import ID, Row, is_list_of_addresses, rows
from agent.intake import from_text, pictures
from trajectories.errors import UsageError
from trajectories.records import Issue

ISSUE = ("problem_statement", "issue", "text")
FIELDS = {
    "repo": ("repo",),
    "base": ("base_commit", "base"),
    "version": ("version",),
    "image": ("image", "image_name", "docker_image"),
    "test": ("test",),
    "hints": ("hints_text", "hints"),
}
"""What a row calls each, the first that it has."""
PICTURES = "image_assets"
GOLD = ("patch", "test_patch", "FAIL_TO_PASS", "PASS_TO_PASS")
JUDGING = (*GOLD, *(name.lower() for name in GOLD[2:]), *FIELDS["test"])
SOLVERS = (*ID, *ISSUE, *(name for names in FIELDS.values() for name in names), PICTURES)
SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,199}")
"""An id becomes the name of a folder, and a part of that of an image."""
PRINTABLE = re.compile(r"[^\s\x00-\x1f\x7f-][^\x00-\x1f\x7f]*")
MOST_PICTURE = 6_000_000
"""Characters of a picture in a row."""


@dataclass(frozen=True, slots=True)
class Gold:
    """How an instance is judged: its solution, the tests that come with it, and which must pass with it, those that
    failed before and those that did not. `row` is all that its files say of it."""

    id: str
    patch: str
    test_patch: str
    fail_to_pass: tuple[str, ...]
    pass_to_pass: tuple[str, ...]
    row: Row


def read_instances(paths: Sequence[Path], hints: bool = False, out: Path | None = None) -> list[Instance]:
    """The instances that the files name, in their order; rows of the same id in several files are one instance.

    An issue's first line is its title. Whoever wrote it, it is a stranger's. Its pictures are those that its row brings
    along as data: URLs, or that lie below the file's folder; addresses of pictures stay words and are not fetched. What
    was said below the issue (`hints_text`) often tells the solution, so it is read only with `hints`. A file in which
    no row has an issue adds to the others' rows and brings no instances of its own. Issues that are fetched are kept in
    a batch's folder `out`, and read from there the next time.

    Raises UsageError, which names file and line, for what cannot be used: bad JSON, an id twice in a file or unfit for
    a folder's name, a field that is missing, of another kind, or not the same in all files.
    """
    addressed = [instance for path in paths if is_list_of_addresses(path) for instance in listed(path, out)]
    files = [path for path in paths if not is_list_of_addresses(path)]
    fields = SOLVERS if hints else [name for name in SOLVERS if name not in FIELDS["hints"]]
    merged, bearing = _merged(files, fields)
    wanted = [id for id, row in merged.items() if bearing.intersection(row.files)]
    of_rows = [_instance(id, merged.pop(id)) for id in wanted]  # a row goes as its instance comes
    found = [*addressed, *of_rows]
    if not found:
        names = ", ".join(map(str, paths))
        raise UsageError(f"No row of {names} has an issue.", "Name a file whose rows have a problem_statement.")
    _told_apart([instance.id for instance in found])
    return found


def read_golds(paths: Sequence[Path]) -> dict[str, Gold]:
    """What the files say of how instances are judged, by id; rows that say nothing of it are left out."""
    merged, _ = _merged([path for path in paths if not is_list_of_addresses(path)], None)
    return {id: _gold(id, row) for id, row in merged.items() if "patch" in row.row or _first(row.row, JUDGING)}


def select(instances: Sequence[Instance], filter: str = "", slice: str = "", seed: int | None = None) -> list[Instance]:
    """Those whose id the regular expression finds, shuffled, and of these a slice `A:B` or `A:B:STEP` as Python's.

    The order of a seed is that of the ids' hashes: instances that come or go leave the others' order as it is. Raises
    UsageError for what is no expression or slice, and where none is left.
    """
    try:
        found = [instance for instance in instances if re.search(filter, instance.id)]
    except re.error as error:
        raise UsageError(
            f"--filter {filter!r} is no regular expression: {error}.", "Give one, as 'django.*'."
        ) from None
    if seed is not None:
        found.sort(key=lambda instance: sha256(f"{seed} {instance.id}".encode()).digest())
    found = found[_slice(slice)]
    if not found:
        raise UsageError(f"None of {len(instances)} instances is left.", "Choose more with --filter and --slice.")
    return found


def _slice(text: str) -> slice:
    if not re.fullmatch(r"-?\d*:-?\d*(:\d+)?|", text.replace(" ", "")) or re.search(r"-:|-$|:0+$", text):
        raise UsageError(f"--slice {text!r} is no slice.", "Give the first and the end, as 0:10, :10 or 100:.")
    return slice(*(int(part) if part.strip() else None for part in text.split(":"))) if text else slice(None)


@dataclass(slots=True)
class _Merged:
    row: Row
    files: list[Path]
    place: str


def _merged(paths: Iterable[Path], fields: Collection[str] | None) -> tuple[dict[str, _Merged], set[Path]]:
    """What the files say of each id, which each may name once; and the files that have issues."""
    found: dict[str, _Merged] = {}
    bearing = set()
    for path in paths:
        seen: dict[str, str] = {}
        for place, row in rows(path, fields):
            id = _id(row, place)
            if id in seen:
                raise UsageError(f"{place} has the id {id!r}, as has {_small(seen[id])}.", "Take one of them out.")
            seen[id] = place
            if _first(row, ISSUE):
                bearing.add(path)
            if id not in found:
                found[id] = _Merged(row, [path], place)
            else:
                _add(found[id], row, place)
                found[id].files.append(path)
        if not seen:
            raise UsageError(f"{path} has no rows.", "Name a file with instances.")
    return found, bearing


def _add(known: _Merged, row: Row, place: str) -> None:
    for name, value in row.items():
        if known.row.get(name) in (None, ""):
            known.row[name] = value
        elif value not in (None, "", known.row[name]):
            raise UsageError(f"{place} and {_small(known.place)} differ in {name}.", "Name files that go together.")


def _small(place: str) -> str:
    return place[0].lower() + place[1:]


def _id(row: Row, place: str) -> str:
    id = _first(row, ID)
    if not isinstance(id, str) or not id:
        raise UsageError(f"{place} has no instance_id.", "Each row needs one, a text of its own.")
    if not SAFE.fullmatch(id) or ".." in id:
        raise UsageError(
            f"{place} has the id {id[:80]!r}, which cannot name a folder.",
            "Use at most 200 letters, digits and _ . @ + - only; the first no dot or hyphen, and no two dots in a row.",
        )
    return id


def _told_apart(ids: list[str]) -> None:
    """Folders of two instances are two, also where a file system knows no capitals; `a.2` is `a`, the second time."""
    seen: dict[str, str] = {}
    for id in ids:
        if other := seen.setdefault(id.casefold(), id) if id.casefold() in seen else "":
            how = "are there twice" if other == id else "differ in capitals only"
            raise UsageError(f"The ids {other!r} and {id!r} {how}.", "Give each instance an id of its own.")
        seen[id.casefold()] = id
    for id in ids:
        stem, _, repeat = id.rpartition(".")
        if stem.casefold() in seen and repeat.isdigit():
            raise UsageError(f"{id!r} would be repeat {repeat} of {stem!r}.", "Give one of them another id.")


def _first(row: Row, names: Iterable[str]) -> Any:
    return next((row[name] for name in names if row.get(name) not in (None, "")), "")


def _instance(id: str, found: _Merged) -> Instance:
    row, place = found.row, f"{found.place} ({id})"
    values = {field: _text(row, names, place) for field, names in FIELDS.items()}
    if not values["repo"]:
        raise UsageError(f"{place} has no repo.", "Name its repository: owner/name, a URL or a path.")
    for field in ("repo", "base", "image"):
        if values[field] and not PRINTABLE.fullmatch(values[field]):
            raise UsageError(f"{place} has the {field} {values[field][:80]!r}, which is none.", "Mend it.")
    if values["repo"].startswith((".", "~", "/")):
        values["repo"] = _path(values["repo"], found.files[0].parent, place)
    return Instance(id=id, issue=_issue(row, found.files, place), **values)


def _path(name: str, folder: Path, place: str) -> str:
    try:
        return str((folder / Path(name).expanduser()).resolve())
    except (OSError, RuntimeError) as error:  # nobody's home, links in a circle
        raise UsageError(f"{place} has the repo {name!r}, which is no path: {error}.", "Mend it.") from None


def _text(row: Row, names: Iterable[str], place: str) -> str:
    value = _first(row, names)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        name = next(name for name in names if row.get(name) == value)
        raise UsageError(f"{place} has a {name} that is no text.", "Mend it.")
    return value.encode("utf-8", "replace").decode()


def _issue(row: Row, files: Sequence[Path], place: str) -> Issue:
    text = _text(row, ISSUE, place)
    if not text.strip():
        raise UsageError(f"{place} has no issue.", "Give it as problem_statement.")
    issue = from_text(text)
    named = _pictures(row.get(PICTURES), place)
    words = "\n".join([text, *(f"![]({name})" for name in named)])
    inside = (picture for file in files for picture in pictures(words, file.parent))
    brought = [name for name in named if re.match(r"data:image/(?:png|jpeg|gif|webp);base64,", name)]
    images = tuple(dict.fromkeys([*brought, *inside]))
    return Issue(issue.title, issue.body, trust="stranger", images=images)


def _pictures(value: Any, place: str) -> list[str]:
    """Those of the issue: what else is there belongs to the solution and its tests."""
    try:
        found = json.loads(value) if isinstance(value, str) and value.strip() else value or {}
        found = found.get("problem_statement") or [] if isinstance(found, dict) else found
    except (ValueError, RecursionError):
        raise UsageError(f"{place} has {PICTURES} that are no JSON.", "Mend them, or take them out.") from None
    return [name for name in found if isinstance(name, str) and len(name) <= MOST_PICTURE]


def _gold(id: str, found: _Merged) -> Gold:
    row, place = found.row, f"{found.place} ({id})"
    for name in GOLD[:2]:
        if not isinstance(row.get(name, ""), str):
            raise UsageError(f"{place} has a {name} that is no text.", "Mend it.")
    failing, passing = (_names(row, name, place) for name in GOLD[2:])
    return Gold(id, row.get("patch", ""), row.get("test_patch", ""), failing, passing, row)


def _names(row: Row, name: str, place: str) -> tuple[str, ...]:
    """Names of tests: a list, or one written as JSON, or as Python writes it."""
    value = row.get(name, row.get(name.lower())) or ()
    if isinstance(value, str):
        value = _written(value)
    if not isinstance(value, list | tuple) or not all(isinstance(test, str) for test in value):
        raise UsageError(f"{place} has a {name} that is no list of tests.", "Give a list of their names.")
    return tuple(value)


def _written(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        try:
            return literal_eval(text.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return None
