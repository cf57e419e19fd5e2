"""The instances of a batch: read from data files and filtered.

Rows have the fields of SWE-bench (Lite, Verified, Multilingual, Multimodal, Pro, Live, Loc-Bench, rebench) or, in the
user's own files, `id`, `repo`, `issue` or `text`, `base`, `test` and `image`. Several files may each hold a part
of the same instances. A text file with an issue URL on each line also works.

Solvers get an `Instance`, which has no fields for solutions: patches and tests are dropped while a file is read. The
evaluation reads solutions and tests with `read_golds`.
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

from agent.inputs.issue_input import from_text, pictures
from extensions.lab.instances.dataset_rows import ID, Row, is_list_of_addresses, rows
from extensions.lab.instances.issue_urls import read_issue_urls
from extensions.lab.instances.jobs import Instance
from trajectories.errors import UsageError
from trajectories.records import Issue

ISSUE = ("problem_statement", "issue", "text")
FIELDS = {
    "repo": ("bundle", "repo"),
    "base": ("base_commit", "base"),
    "version": ("version",),
    "image": ("image", "image_name", "docker_image"),
    "test": ("test",),
    "hints": ("hints_text", "hints"),
}
"""The columns for each field; the first one that a row has is used. `bundle` is the path of a git bundle with the
base."""
MORE_OF_ISSUE = {"requirements": "Requirements", "interface": "New interfaces introduced"}
"""Columns of SWE-bench Pro that belong to the issue, with their titles."""
PRO_TAG = "dockerhub_tag"
PICTURES = "image_assets"
GOLD = ("patch", "test_patch", "FAIL_TO_PASS", "PASS_TO_PASS")
JUDGING = (*GOLD, *(name.lower() for name in GOLD[2:]), *FIELDS["test"])
SOLVERS = (*ID, *ISSUE, *MORE_OF_ISSUE, *(name for names in FIELDS.values() for name in names), PICTURES, PRO_TAG)
SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,199}")
"""Valid ids: an id is used as a folder name and as part of an image's name."""
PRINTABLE = re.compile(r"[^\s\x00-\x1f\x7f-][^\x00-\x1f\x7f]*")
MOST_PICTURE = 6_000_000
"""Maximum number of characters of an image's path or `data:` URL in a row."""


@dataclass(frozen=True, slots=True)
class Gold:
    """The reference solution of an instance and its tests.

    The tests in `fail_to_pass` failed before the solution was applied and those in `pass_to_pass` passed; with the
    solution, all must pass. `row` holds all fields from the files.
    """

    id: str
    patch: str
    test_patch: str
    fail_to_pass: tuple[str, ...]
    pass_to_pass: tuple[str, ...]
    row: Row


def read_instances(paths: Sequence[Path], hints: bool = False, out: Path | None = None) -> list[Instance]:
    """Return the instances in the files, in their order; rows with the same id in several files are one instance.

    The first line of an issue's text is its title; its author always has the trust level `stranger`. An image is used
    if the row contains it as a `data:` URL or if it is a file below the data file's folder; the URLs that
    `image_assets` lists for the issue are in `Instance.pictures` and not fetched here. The comments below the issue
    (`hints_text`) often reveal the solution, so they are read only with `hints`. A file without any issue adds fields
    to the other files' rows and has no instances of its own. Fetched issues are stored in the batch's folder `out` and
    read from there the next time.

    Raises UsageError with file and line for invalid JSON, an id that is repeated in a file or cannot be used as a
    folder name, and a field that is missing, has the wrong type or differs between files.
    """
    addressed = [instance for path in paths if is_list_of_addresses(path) for instance in read_issue_urls(path, out)]
    files = [path for path in paths if not is_list_of_addresses(path)]
    fields = SOLVERS if hints else [name for name in SOLVERS if name not in FIELDS["hints"]]
    merged, bearing = _merged(files, fields)
    wanted = [id for id, row in merged.items() if bearing.intersection(row.files)]
    of_rows = [_instance(id, merged.pop(id)) for id in wanted]  # pop frees the row's memory
    found = [*addressed, *of_rows]
    if not found:
        names = ", ".join(map(str, paths))
        raise UsageError(f"No row of {names} has an issue.", "Give a file whose rows have a problem_statement.")
    _check_unique([instance.id for instance in found])
    return found


def read_golds(paths: Sequence[Path]) -> dict[str, Gold]:
    """Return the reference solutions in the files by id; rows without one are left out."""
    merged, _ = _merged([path for path in paths if not is_list_of_addresses(path)], None)
    return {id: _gold(id, row) for id, row in merged.items() if "patch" in row.row or _first(row.row, JUDGING)}


def from_row(row: Row) -> tuple[Instance, Gold]:
    """Return the instance in one row, without the comments below its issue, and its reference solution. Paths are
    relative to the current folder. Raises UsageError as `read_instances` does."""
    place = "The row"
    id = _id(row, place)
    seen = {name: row[name] for name in SOLVERS if name in row and name not in FIELDS["hints"]}
    return _instance(id, _Merged(seen, [Path("row")], place)), _gold(id, _Merged(row, [], place))


def select(instances: Sequence[Instance], filter: str = "", slice: str = "", seed: int | None = None) -> list[Instance]:
    """Return the instances whose id matches the regular expression, reduced to a slice in Python notation.

    With a seed, the instances are shuffled before slicing; their order comes from hashes of their ids, so adding or
    removing instances does not change the order of the rest. Raises UsageError for an invalid expression or slice, and
    if no instance is left.
    """
    try:
        found = [instance for instance in instances if re.search(filter, instance.id)]
    except re.error as error:
        raise UsageError(
            f"--filter {filter!r} is not a regular expression: {error}.", "Give one such as 'django.*'."
        ) from None
    if seed is not None:
        found.sort(key=lambda instance: sha256(f"{seed} {instance.id}".encode()).digest())
    found = found[_slice(slice)]
    if not found:
        raise UsageError(
            f"No instance of {len(instances)} matches the selection.", "Select more with --filter and --slice."
        )
    return found


def _slice(text: str) -> slice:
    if not re.fullmatch(r"-?\d*:-?\d*(:\d+)?|", text.replace(" ", "")) or re.search(r"-:|-$|:0+$", text):
        raise UsageError(f"--slice {text!r} is not a slice.", "Give start and end, such as 0:10, :10 or 100:.")
    return slice(*(int(part) if part.strip() else None for part in text.split(":"))) if text else slice(None)


@dataclass(slots=True)
class _Merged:
    row: Row
    files: list[Path]
    place: str


def _merged(paths: Iterable[Path], fields: Collection[str] | None) -> tuple[dict[str, _Merged], set[Path]]:
    """Return the merged rows by id, and the files that contain issues; an id may occur only once in each file."""
    found: dict[str, _Merged] = {}
    bearing = set()
    for path in paths:
        seen: dict[str, str] = {}
        for place, row in rows(path, fields):
            id = _id(row, place)
            if id in seen:
                raise UsageError(f"{place} has the id {id!r}, as has {_lowered(seen[id])}.", "Remove one of them.")
            seen[id] = place
            if _first(row, ISSUE):
                bearing.add(path)
            if id not in found:
                found[id] = _Merged(row, [path], place)
            else:
                _add(found[id], row, place)
                found[id].files.append(path)
        if not seen:
            raise UsageError(f"{path} has no rows.", "Give a file with instances.")
    return found, bearing


def _add(known: _Merged, row: Row, place: str) -> None:
    for name, value in row.items():
        if known.row.get(name) in (None, ""):
            known.row[name] = value
        elif value not in (None, "", known.row[name]):
            raise UsageError(
                f"{place} and {_lowered(known.place)} differ in {name}.", "Give files that belong together."
            )


def _lowered(place: str) -> str:
    return place[0].lower() + place[1:]


def _id(row: Row, place: str) -> str:
    id = _first(row, ID)
    if not isinstance(id, str) or not id:
        raise UsageError(f"{place} has no instance_id.", "Each row needs a unique text.")
    if not SAFE.fullmatch(id) or ".." in id:
        raise UsageError(
            f"{place} has the id {id[:80]!r}, which cannot name a folder.",
            "Use at most 200 letters, digits and _ . @ + -, no dot or hyphen first, and no two dots in a row.",
        )
    return id


def _check_unique(ids: list[str]) -> None:
    """Raise UsageError if two instances would share a folder, also on a case-insensitive file system.

    `a.2` is the folder of the second attempt at `a`.
    """
    seen: dict[str, str] = {}
    for id in ids:
        if other := seen.setdefault(id.casefold(), id) if id.casefold() in seen else "":
            how = "are duplicates" if other == id else "differ only in case"
            raise UsageError(f"The ids {other!r} and {id!r} {how}.", "Give each instance a unique id.")
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
        raise UsageError(f"{place} has no repo.", "Give its repository: owner/name, a URL or a path.")
    if tag := _text(row, (PRO_TAG,), place):
        values["image"] = values["image"] or f"jefzda/sweap-images:{tag}"
    for field in ("repo", "base", "image"):
        if values[field] and not PRINTABLE.fullmatch(values[field]):
            raise UsageError(f"{place} has an invalid {field}: {values[field][:80]!r}.", "Correct it.")
    if row.get("bundle") or values["repo"].startswith((".", "~", "/")):
        values["repo"] = _path(values["repo"], found.files[0].parent, place)
    urls = tuple(name for name in _pictures(row.get(PICTURES), place) if name.startswith("https://"))
    return Instance(id=id, issue=_issue(row, found.files, place), pictures=urls, **values)


def _path(name: str, folder: Path, place: str) -> str:
    try:
        return str((folder / Path(name).expanduser()).resolve())
    except (OSError, RuntimeError) as error:  # the home directory is unknown, or links are circular
        raise UsageError(f"{place} has the repo {name!r}, which is not a path: {error}.", "Correct it.") from None


def _text(row: Row, names: Iterable[str], place: str) -> str:
    value = _first(row, names)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        name = next(name for name in names if row.get(name) == value)
        raise UsageError(f"{place} has a {name} that is not text.", "Correct it.")
    return value.encode("utf-8", "replace").decode()


def _issue(row: Row, files: Sequence[Path], place: str) -> Issue:
    text = _text(row, ISSUE, place)
    if not text.strip():
        raise UsageError(f"{place} has no issue.", "Give it as problem_statement.")
    more = {title: _text(row, (name,), place) for name, title in MORE_OF_ISSUE.items() if row.get(PRO_TAG)}
    text += "".join(f"\n\n{title}:\n{value}" for title, value in more.items() if value.strip())
    issue = from_text(text)
    named = _pictures(row.get(PICTURES), place)
    words = "\n".join([text, *(f"![]({name})" for name in named)])
    inside = (picture for file in files for picture in pictures(words, file.parent))
    brought = [name for name in named if re.match(r"data:image/(?:png|jpeg|gif|webp);base64,", name)]
    images = tuple(dict.fromkeys([*brought, *inside]))
    return Issue(issue.title, issue.body, trust="stranger", images=images)


def _pictures(value: Any, place: str) -> list[str]:
    """Return the issue's images; the row's other images belong to the solution and its tests."""
    try:
        found = json.loads(value) if isinstance(value, str) and value.strip() else value or {}
        found = found.get("problem_statement") or [] if isinstance(found, dict) else found
    except (ValueError, RecursionError):
        raise UsageError(f"{place} has {PICTURES} that are not JSON.", "Correct or remove them.") from None
    return [name for name in found if isinstance(name, str) and len(name) <= MOST_PICTURE]


def _gold(id: str, found: _Merged) -> Gold:
    row, place = found.row, f"{found.place} ({id})"
    for name in GOLD[:2]:
        if not isinstance(row.get(name, ""), str):
            raise UsageError(f"{place} has a {name} that is not text.", "Correct it.")
    failing, passing = (_names(row, name, place) for name in GOLD[2:])
    return Gold(id, row.get("patch", ""), row.get("test_patch", ""), failing, passing, row)


def _names(row: Row, name: str, place: str) -> tuple[str, ...]:
    """Return the test names in a list, which may also be given as text in JSON or Python notation."""
    value = row.get(name, row.get(name.lower())) or ()
    if isinstance(value, str):
        value = parse_list(value)
    if not isinstance(value, list | tuple) or not all(isinstance(test, str) for test in value):
        raise UsageError(f"{place} has a {name} that is not a list of tests.", "Give a list of their names.")
    return tuple(value)


def parse_list(text: str) -> Any:
    """Return the value of JSON or Python source; None if it is neither."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        try:
            return literal_eval(text.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return None
