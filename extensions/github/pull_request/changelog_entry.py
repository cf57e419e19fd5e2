"""An entry in the repository's changelog, in the changelog's own format.

No entry is written if the repository has no changelog, or if changes do not usually add entries to it.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import PurePosixPath

from extensions.github.text_escaping import plain, with_full_stop

Read = Callable[[str], bytes | None]
FOLDERS = (
    "changelog.d",
    "newsfragments",
    "news",
    "changes",
    ".changes",
    "CHANGES.d",
    "docs/changelog.d",
    "changelog_unreleased",
)
FILES = re.compile(r"(?:docs?/)?(?:change(?:s|log)|history|news|release[-_]notes)(?:\.(?:md|rst|txt))?", re.IGNORECASE)
_SURE = r"unreleased|not (?:yet )?released|\d\.dev\d*|\bTB[AD]\b|x{2,}"
UNRELEASED = re.compile(
    rf"{_SURE}|upcoming|in development|\bdev(?:elopment)?\b|\bnext\b|\bmain\b|\bmaster\b", re.IGNORECASE
)
_VERSION = re.compile(r"\bv?\d+\.[\w.]+")
_BESIDE = re.compile(r"\b(?:version|release[ds]?|date|changes|in|on|the)\b", re.IGNORECASE)
FIXES = re.compile(r"(?:bug ?)?fix(?:es|ed)?|bugs?", re.IGNORECASE)
_FRAGMENT = re.compile(r"(?P<number>\+?[\w-]*?\d+)\.(?P<kind>[a-z_-]+)(?:\.\d+)?(?P<ending>\.(?:rst|md|txt))?")
_BULLET = re.compile(r"(?P<mark>[*+-])(?P<gap>\s+)\S")
_RULE = re.compile(r"([=\-~^\"'#*+])\1{2,}\s*")


def build_entry(
    files: Collection[str], read: Read, words: str, number: int, changed: Collection[str]
) -> tuple[str, bytes] | None:
    """Return (path, whole new content) of a changelog entry with the text `words` for issue `number`.

    Return None if the repository has no changelog to which each change adds an entry, or if one of the `changed` paths
    already belongs to it. The supported formats are towncrier, folders of fragments (in the form of the existing ones),
    changesets, scriv's Markdown, and files with a section for unreleased changes.
    """
    if not (said := plain(words).rstrip(". ")):
        return None
    text = with_full_stop(said)
    for found in (_towncrier, _fragments, _changeset, _file):
        place = found(frozenset(files), read, text, number)
        if place is None:
            continue
        folder = PurePosixPath(place[0]).parent.as_posix()
        known = {place[0]} if place[0] in files else {path for path in changed if path.startswith(f"{folder}/")}
        return None if known & set(changed) or place[0] in changed else place
    return None


def untouched_changelog(files: Collection[str], changed: Collection[str]) -> str:
    """Return the path of the changelog if there is one and no `changed` path belongs to it; else ""."""
    folders = {each.casefold() for each in (*FOLDERS, "changelog")}
    if any(FILES.fullmatch(path) or path.rpartition("/")[0].casefold() in folders for path in changed):
        return ""
    return min((path for path in files if FILES.fullmatch(path)), default="")


def _towncrier(files: frozenset[str], read: Read, text: str, number: int) -> tuple[str, bytes] | None:
    for name in ("towncrier.toml", "pyproject.toml"):
        try:
            table = tomllib.loads((read(name) or b"").decode()) if name in files else {}
        except (tomllib.TOMLDecodeError, UnicodeDecodeError):
            continue
        found = table.get("tool", {}).get("towncrier")
        if not isinstance(found, dict) or not isinstance(folder := found.get("directory", _default_folder(found)), str):
            continue
        kinds = [each.get("directory", "") for each in found.get("type", ()) if isinstance(each, dict)] or ["bugfix"]
        kind = next((kind for kind in kinds if FIXES.fullmatch(kind)), "")
        folder = folder.strip("/")
        if not kind or not folder:
            return None
        ending = _ending(files, folder) or (".md" if str(found.get("filename", "")).endswith(".md") else ".rst")
        return f"{folder}/{number}.{kind}{ending}", f"{text}\n".encode()
    return None


def _default_folder(table: dict[str, object]) -> str:
    package = table.get("package")
    where = str(table.get("package_dir", ".")).strip("./")
    return (
        "/".join(filter(None, [where, package.replace(".", "/"), "newsfragments"])) if isinstance(package, str) else ""
    )


def _ending(files: Iterable[str], folder: str) -> str:
    """Return the most common suffix of the existing fragments."""
    names = (path.removeprefix(f"{folder}/") for path in files if path.startswith(f"{folder}/"))
    found = Counter(match["ending"] or "" for name in names if (match := _FRAGMENT.fullmatch(name)))
    return found.most_common(1)[0][0] if found else ""


def _fragments(files: frozenset[str], read: Read, text: str, number: int) -> tuple[str, bytes] | None:
    """Return an entry in the form of the existing fragments, such as `123.bugfix.rst`."""
    for folder in FOLDERS:
        names = [path.removeprefix(f"{folder}/") for path in files if path.startswith(f"{folder}/")]
        matches = [match for name in names if (match := _FRAGMENT.fullmatch(name))]
        kinds = Counter(match["kind"] for match in matches if FIXES.fullmatch(match["kind"]))
        if not kinds:
            continue
        kind = kinds.most_common(1)[0][0]
        like = next(match for match in matches if match["kind"] == kind)
        before = re.sub(r"\d+$", "", like["number"]).replace("+", "")
        written = read(f"{folder}/{like[0]}") or b""
        mark = _BULLET.match(written.decode("utf-8", "replace"))
        bullet = f"{mark['mark']}{mark['gap']}" if mark else ""
        return f"{folder}/{before}{number}.{kind}{like['ending'] or ''}", f"{bullet}{text}\n".encode()
    return None


def _changeset(files: frozenset[str], read: Read, text: str, number: int) -> tuple[str, bytes] | None:
    import json

    if ".changeset/config.json" not in files:
        return None
    try:
        package = json.loads(read("package.json") or b"{}")
    except ValueError:
        return None
    name = package.get("name") if isinstance(package, dict) and "workspaces" not in package else None
    if not isinstance(name, str) or not re.fullmatch(r"(?:@[\w.-]+/)?[\w.-]+", name) or "pnpm-workspace.yaml" in files:
        return None  # if there are several packages, a person must choose one
    return f".changeset/issue-{number}.md", f'---\n"{name}": patch\n---\n\n{text}\n'.encode()


def _file(files: frozenset[str], read: Read, text: str, number: int) -> tuple[str, bytes] | None:
    for path in sorted(path for path in files if FILES.fullmatch(path)):
        try:
            old = (read(path) or b"").decode()
        except UnicodeDecodeError:
            continue
        if new := _insert_entry(old, text, number):
            return path, new.encode()
    return None


def _insert_entry(old: str, text: str, number: int) -> str:
    """Return the changelog with an entry in its unreleased section; "" if it has no such section or no list in it."""
    newline = "\r\n" if "\r\n" in old else "\n"
    lines = old.split(newline)
    headings = list(_headings(lines))
    titles = [f"{title} {_unreleased_line(lines, n)}".strip() for n, _, title in headings]
    first = next((n for n, title in enumerate(titles) if re.search(r"\d", title) or UNRELEASED.search(title)), -1)
    if first < 0 or not _is_unreleased(titles[first], titles[first + 1 :]):
        return ""
    at, level, _ = headings[first]
    end = next((line for line, depth, _ in headings[first + 1 :] if depth <= level), len(lines))
    under = [each for each in headings[first + 1 :] if each[0] < end]
    fixes = next((each for each in under if FIXES.search(each[2])), None)
    if fixes is None and under:
        return ""  # the section has subsections, but none for fixes
    start, stop = (fixes[0], next((line for line, _, _ in under if line > fixes[0]), end)) if fixes else (at, end)
    bullets = [n for n in range(start, stop) if _BULLET.match(lines[n])]
    elsewhere = bullets or [n for n, line in enumerate(lines) if _BULLET.match(line)]
    if not elsewhere:
        return ""
    like = lines[elsewhere[-1]]
    mark = _BULLET.match(like)
    same = sum(bool(re.search(r"#\d+", lines[n])) for n in elsewhere)
    item = f"{mark['mark']}{mark['gap']}{text.rstrip('.') if not like.rstrip().endswith('.') else text}" if mark else ""
    item = (
        f"{item.rstrip('.')} (#{number})" + ("." if item.endswith(".") else "") if 2 * same >= len(elsewhere) else item
    )
    if bullets:
        last = bullets[-1]
        while last + 1 < stop and _is_continuation(lines, last + 1):
            last += 1
        return newline.join([*lines[: last + 1], item, *lines[last + 1 :]])
    after = start + (2 if start + 1 < len(lines) and _RULE.fullmatch(lines[start + 1]) else 1)
    if _unreleased_line(lines, start):
        after += lines[after:].index(_unreleased_line(lines, start)) + 1
    rest = lines[after:]
    while rest and not rest[0].strip():
        rest = rest[1:]
    return newline.join([*lines[:after], "", item, "", *rest])


def _is_unreleased(title: str, others: Iterable[str]) -> bool:
    """Whether a heading means "not released" and little else.

    This excludes headings of prose and of release instructions; an ambiguous heading counts only if other headings are
    versions.
    """
    if not UNRELEASED.search(title):
        return False
    named = _VERSION.search(title)
    words = re.findall(r"\w+", _BESIDE.sub("", UNRELEASED.sub("", _VERSION.sub(" ", title))))
    sure = bool(named or re.search(_SURE, title, re.IGNORECASE)) or any(map(_VERSION.search, others))
    return sure and len(words) <= bool(named)  # a version may have the project's name before it


def _unreleased_line(lines: list[str], heading: int) -> str:
    """Return the line under a heading that says "Unreleased", as in Flask's changelog; "" without one."""
    at = heading + (2 if heading + 1 < len(lines) and _RULE.fullmatch(lines[heading + 1]) else 1)
    line = next(filter(str.strip, lines[at : at + 3]), "")
    return line if re.fullmatch(r"[^\w#]*(?:unreleased|not (?:yet )?released)\W*", line, re.IGNORECASE) else ""


def _is_continuation(lines: list[str], n: int) -> bool:
    """Whether a line belongs to the bullet before it; indented lines after an empty line also do."""
    if lines[n].strip():
        return not _BULLET.match(lines[n]) and (lines[n][:1].isspace() or bool(lines[n - 1].strip()))
    return n + 1 < len(lines) and lines[n + 1][:1].isspace() and bool(lines[n + 1].strip())


def _headings(lines: list[str]) -> Iterator[tuple[int, int, str]]:
    """Yield (line, depth, title) of Markdown and reStructuredText headings."""
    marks: list[str] = []
    for n, line in enumerate(lines):
        if match := re.match(r"(#{1,6})\s+(.*)", line):
            yield n, len(match[1]), match[2]
        elif line.strip() and n + 1 < len(lines) and _RULE.fullmatch(lines[n + 1]) and not _RULE.fullmatch(line):
            mark = lines[n + 1][0]
            if len(lines[n + 1].rstrip()) >= len(line.strip()) or mark in "=-":
                marks += [mark] if mark not in marks else []
                yield n, marks.index(mark) + 1, line.strip()
