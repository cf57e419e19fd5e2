"""Read access to the commits of a repository.

Commits are read through a separate git directory that uses the repository's object store. As a result, the repository's
configuration, hooks, replace refs and attributes have no effect, and git cannot fetch from the remote of a partial
clone. Missing objects are left out.

The terms of commit messages that are indexed together are counted at once, which is much faster than one by one.

A commit's message is parsed to its subject, its words, and the issues and pull requests that it names.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from aci.history.array_types import Numbers
from aci.issue_text.issue_mentions import WORD, split_identifier
from aci.repository.git_view import common_folder
from trajectories.git_store.git_commands import GitFailed, decode, git, git_environ, objects_environment
from trajectories.unified_diff import HUNK_HEADER_BYTES

LONGEST = 4_000
LONGEST_SUBJECT = 200
SUBJECT_WEIGHT = 2
"""Weight of a word in the subject; a word in the body counts once."""
CLOSING, MENTIONING = 2, 1

_MERGE = re.compile(
    r"Merge (?:pull request|PR) #?(?P<number>\d+)(?: from [^\s/]+/(?P<branch>\S+))?.*|Merge [\w-]+ .*", re.IGNORECASE
)
_TRAILER = re.compile(r"(?im)^[ \t]*(?:[a-z]+(?:-[a-z]+)*-by|git-svn-id|change-id|cc|cherry-picked-from):.*$")
_URL = re.compile(r"https?://\S+")
_CLOSING = r"(?P<closing>\b(?:fix|clos|resolv)(?:e|es|ed|ing)?:?[ \t]+(?:[\w-]{1,20}[ \t]+)?)?"
_SHORT = r"(?<![\w&])(?:#|gh-)"
_LONG = r"[\w.-]{1,50}/[\w.-]{1,50}#|/(?:issues|pull|ticket)/"
_DIGITS = r"(?P<number>\d{1,9})\b"
_NUMBER = re.compile(f"{_CLOSING}(?:{_LONG}|{_SHORT}){_DIGITS}", re.IGNORECASE)
_NUMBER_WITHOUT_SLASH = re.compile(f"{_CLOSING}{_SHORT}{_DIGITS}", re.IGNORECASE)
"""Matches what _NUMBER matches in a line without slash, several times as fast."""
_MARK = re.compile(r"[#/-]\d")
_NUMBERED = re.compile(r"(?:#|gh-|/(?:issues|pull|ticket)/)\d", re.IGNORECASE)
"""Both occur in each line that _NUMBER matches; most lines have neither."""


class Message(NamedTuple):
    """A parsed message.

    `words` holds its words in any order, those of the subject SUBJECT_WEIGHT times; `numbers` maps each issue that the
    message mentions to CLOSING if the commit is about it, else to MENTIONING.
    """

    subject: str
    words: list[str]
    numbers: dict[int, int]


def parse_message(raw: bytes) -> Message:
    """Parse a commit message of any length and in any encoding."""
    text = raw[:LONGEST].decode("utf-8", "replace")
    numbers = _numbers(text)
    text = _URL.sub(" ", _TRAILER.sub("", text)).strip()
    subject, _, body = text.partition("\n")
    if merge := _MERGE.fullmatch(subject.strip()):
        title, _, body = body.strip().partition("\n")
        if merge["number"]:
            numbers[int(merge["number"])] = CLOSING
        body = f"{_branch_words(merge['branch'] or '')}\n{body}"
        subject = title or subject
    words = WORD.findall(subject) * SUBJECT_WEIGHT + WORD.findall(body)
    return Message(subject[:LONGEST_SUBJECT].strip(), words, numbers)


def _numbers(text: str) -> dict[int, int]:
    """Return the issue numbers that a message mentions: as CLOSING in the subject or after words such as Fixes or
    Closes, else as MENTIONING."""
    found: dict[int, int] = {}
    for place, line in enumerate(text.split("\n")):
        if not _MARK.search(line) or not _NUMBERED.search(line):
            continue
        for match in (_NUMBER if "/" in line else _NUMBER_WITHOUT_SLASH).finditer(line):
            number = int(match["number"])
            about = match["closing"] or place == 0
            found[number] = max(found.get(number, 0), CLOSING if about else MENTIONING)
    return found


def _branch_words(branch: str) -> str:
    return branch.replace("-", " ").replace("/", " ")


MOST_COMMITS = 200_000
MOST_FILES = 100
"""Maximum number of files per commit; no files are returned for a commit that changes more."""
MOST_LINES = 2_000
SHORTEST_LINE = 9
BATCH = 10_000
TOGETHER = 1_000
AT_ONCE = 1 << 25
HUGE = 1 << 20
"""AT_ONCE: maximum number of bytes of commits that are read in one batch. HUGE: size in bytes above which a commit's
message or a blob is not read."""
WITH_MESSAGE, WITHOUT_MESSAGE = "--format=%H%n%ct%n%B", "--format=%H%n%ct%n"
LATEST = 1 << 62
"""Maximum time in seconds since 1970; later dates are replaced by this value, so that times and their differences fit
into 64 bits."""
TIMED_OUT = 124
NO_BLOB = "0" * 40

_ID = re.compile(r"[0-9a-f]{40}")
_COMMIT = re.compile(rb"[0-9a-f]{40}")
_QUOTED = re.compile(rb'\\(?:([0-7]{3})|(["\\abtnvfr]))')
_ESCAPED = dict(zip(b'"\\abtnvfr', b'"\\\a\b\t\n\v\f\r', strict=True))
_DIFF = ("diff-tree", "--stdin", "-r", "--root", "--always", "--no-renames")
FIRST_PARENT, NO_MERGES = "--diff-merges=first-parent", "--diff-merges=off"
_PATCH = ("-p", "-U0", "--no-ext-diff", "--no-textconv", "--no-color")
_RAW_DIFF = ("diff-tree", "-r", "--root", "--no-commit-id", "--no-renames", "--no-abbrev", "-z", "--raw")
_SHOWN_DIFF = ("diff-tree", "-r", "--root", "--no-commit-id", "--no-renames", "-p", "-U2", *_PATCH[2:])

Found = TypeVar("Found")


class Commit(NamedTuple):
    """A commit; `time` is when it was committed, in seconds since 1970."""

    id: str
    time: int
    message: bytes


class Span(NamedTuple):
    """A range of lines (1-based, inclusive) in a commit's version of a file, with the id of its blob."""

    path: str
    blob: str
    first: int
    last: int


class GitLog:
    """The commits of a git directory.

    `boundary` identifies the commits at which a shallow clone's history ends; it is "" for a complete history.
    """

    def __init__(self, git_dir: Path) -> None:
        shared = common_folder(git_dir)
        shallow = shared / "shallow"
        self._cut = frozenset(_content(shallow).decode("ascii", "replace").split())
        self.boundary = hashlib.sha256("\n".join(sorted(self._cut)).encode()).hexdigest() if self._cut else ""
        variables = objects_environment(shared)
        if self._cut:
            variables["GIT_SHALLOW_FILE"] = str(shallow)
        self._env = git_environ(variables)

    def time(self, commit: str, *paths: str) -> int | None:
        """Return the time of a commit, or None if there is no commit with this id.

        If `paths` (globs) are given, return the time of the latest commit, up to this one, that changed a matching
        file.
        """
        if not _ID.fullmatch(commit):
            return None
        try:
            env = {**self._env, "GIT_LITERAL_PATHSPECS": "0"}
            return _seconds(git("rev-list", "-1", "--timestamp", commit, "--", *paths, env=env).split()[0])
        except (GitFailed, IndexError):
            return None

    def is_first_parent(self, commit: str, later: str) -> bool:
        """Return whether `commit` is `later` or one of the last TOGETHER commits before it on the line of first
        parents."""
        if not _ID.fullmatch(later):
            return False
        try:
            line = decode(self._git("rev-list", "--first-parent", f"--max-count={TOGETHER}", later)).split()
        except GitFailed:  # there is no such commit
            return False
        return commit in line

    def first_present(self, commits: Sequence[str]) -> str | None:
        """Return the first of these commits that exists in the repository."""
        if not commits:
            return None
        answers = self._git("cat-file", "--batch-check", input=_lines(commits)).splitlines()
        return next((id for id, answer in zip(commits, answers, strict=True) if b" commit " in answer), None)

    def root(self, commit: str) -> str:
        """Return the root commit among a commit's first-parent ancestors; "" if the commit is missing."""
        try:
            return self._git("rev-list", "--first-parent", "--max-parents=0", commit).decode().strip()
        except GitFailed:
            return ""

    def ancestors(self, commit: str) -> list[str]:
        """Return at most MOST_COMMITS of a commit's ancestors, including itself, newest first."""
        return self._git("rev-list", f"--max-count={MOST_COMMITS}", commit).decode().split()

    def apart(self, commit: str, other: str) -> tuple[list[str], list[str]]:
        """Return the commits reachable only from `commit`, and those reachable only from `other`."""
        lines = self._git("rev-list", "--left-right", f"{commit}...{other}").decode().split()
        return [line[1:] for line in lines if line[0] == "<"], [line[1:] for line in lines if line[0] == ">"]

    def bisection_order(self, bad: str, good: Sequence[str]) -> list[str]:
        """Return the commits reachable from `bad` but from none of `good`, including `bad`, in the order in which
        `git bisect` prefers to test them: the one that halves the rest first."""
        lines = self._git("rev-list", "--bisect-all", bad, "--not", *good).decode().splitlines()
        return [line.split(" ", 1)[0] for line in lines]

    def read(self, commits: Sequence[str]) -> Iterator[Commit]:
        """Yield these commits with their messages, read in batches; the message of a commit over 1 MiB is left
        empty."""
        for ids, form in self._portions(commits):
            for record in filter(None, self._log(ids, form).split(b"\0")):
                yield _commit(record)

    def read_changed(self, commits: Sequence[str]) -> Iterator[tuple[Commit, tuple[str, ...]]]:
        """Yield these commits as `read` does, with the files that each changed; () for a merge, and for a commit whose
        trees or parents are missing or that changed more than MOST_FILES."""
        for ids, form in self._portions(commits):
            try:
                output = self._log(ids, form, "--raw", "-r", "--root", "--no-abbrev", "--no-renames", NO_MERGES)
            except GitFailed:  # a tree is missing
                changed = self.changed(ids)
                yield from ((one, changed.get(one.id, ())) for one in self.read(ids))
            else:
                for one, paths in _with_changes(output):
                    yield one, () if len(paths) > MOST_FILES or one.id in self._cut else tuple(paths)

    def _log(self, commits: Sequence[str], form: str, *options: str) -> bytes:
        return self._git("log", "--no-walk=unsorted", "--stdin", "-z", form, *options, input=_lines(commits))

    def _portions(self, commits: Sequence[str]) -> Iterator[tuple[list[str], str]]:
        """Yield groups of commits to be read together, with the format to use for each group."""
        for first in range(0, len(commits), BATCH):
            some = commits[first : first + BATCH]
            sizes = self._git("cat-file", "--batch-check=%(objectsize)", input=_lines(some)).splitlines()
            portion: list[str] = []
            huge: list[str] = []
            room = AT_ONCE
            for id, size in zip(some, (int(size) if size.isdigit() else 0 for size in sizes), strict=True):
                if size > HUGE:
                    huge.append(id)
                    continue
                if size > room:
                    yield portion, WITH_MESSAGE
                    portion, room = [], AT_ONCE
                portion.append(id)
                room -= size
            if portion:
                yield portion, WITH_MESSAGE
            if huge:
                yield huge, WITHOUT_MESSAGE

    def touched(self, commits: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Return the files that each commit changed against its first parent; () for a commit that changed more than
        MOST_FILES.

        A commit whose parents or trees are missing is left out.
        """
        return self._each([id for id in commits if id not in self._cut], self._touched)

    def _touched(self, commits: Sequence[str], merges: str = FIRST_PARENT) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        fields = iter(decode(self._git(*_DIFF, merges, "-z", "--raw", input=_lines(commits))).split("\0"))
        paths: list[str] = []
        for field in fields:
            if not field.startswith(":"):
                paths = found.setdefault(field, [])
            elif (path := next(fields, "")) and "160000" not in field[:14]:
                paths.append(path)
        return {id: tuple(found[id]) if len(found[id]) <= MOST_FILES else () for id in commits if id in found}

    def changed(self, commits: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Return the files that each of many commits changed.

        Merges are left out. If a tree is missing, all commits of the same git call are left out, since retrying them
        could take one call per commit.
        """
        found: dict[str, tuple[str, ...]] = {}
        whole = [id for id in commits if id not in self._cut]
        for first in range(0, len(whole), TOGETHER):
            with suppress(GitFailed):
                found |= self._touched(whole[first : first + TOGETHER], NO_MERGES)
        return found

    def added(self, commits: Sequence[str]) -> dict[str, dict[str, tuple[str, ...]]]:
        """Return the stripped lines that each commit added to each file, at most MOST_LINES per commit.

        Short lines and files over 1 MiB are left out.
        """
        return self._each([id for id in commits if id not in self._cut], self._added)

    def _added(self, commits: Sequence[str]) -> dict[str, dict[str, tuple[str, ...]]]:
        return _added_lines(self._git(*_DIFF, FIRST_PARENT, *_PATCH, input=_lines(commits)))

    def spans(self, commits: Sequence[str]) -> dict[str, list[Span]]:
        """Return the spans of lines that each commit added or changed, and the lines around each removal.

        In a renamed file, only changed lines are included.
        """
        return self._each([id for id in commits if id not in self._cut], self._spans)

    def _spans(self, commits: Sequence[str]) -> dict[str, list[Span]]:
        return _spans(self._git(*_DIFF, "-M", "--full-index", FIRST_PARENT, *_PATCH, input=_lines(commits)))

    def blobs(self, ids: Iterable[str]) -> dict[str, bytes]:
        """Return blobs by their ids, except blobs that are missing or over 1 MiB."""
        sizes = self._git("cat-file", "--batch-check", input=_lines(sorted(set(ids)))).splitlines()
        small = [line.split() for line in sizes if line.rpartition(b" ")[2].isdigit()]
        whole = [id.decode() for id, kind, size in small if kind == b"blob" and int(size) <= HUGE]
        output, found = self._git("cat-file", "--batch", input=_lines(whole)), {}
        at = 0
        for id in whole:
            head = output.index(b"\n", at)
            at = head + 2 + int(output[at:head].split()[2])
            found[id] = output[head + 1 : at - 1]
        return found

    def versions(self, commit: str) -> dict[str, tuple[str, str]]:
        """Return the blobs of each file that a commit changed, against its first parent: before and after it, with
        NO_BLOB for none; {} if objects are missing."""
        if commit in self._cut:
            return {}
        try:
            output = self._git(*_RAW_DIFF, FIRST_PARENT, commit)
        except GitFailed:
            return {}
        fields = decode(output).split("\0")[:-1]
        return {path: (head.split()[2], head.split()[3]) for head, path in zip(fields[::2], fields[1::2], strict=True)}

    def diff(self, commit: str, paths: Sequence[str]) -> str:
        """Return a commit's unified diff for these paths against its first parent; "" if objects are missing."""
        if commit in self._cut or not paths:
            return ""
        try:
            return decode(self._git(*_SHOWN_DIFF, FIRST_PARENT, commit, "--", *paths))
        except GitFailed:
            return ""

    def _each(self, commits: Sequence[str], ask: Callable[[Sequence[str]], dict[str, Found]]) -> dict[str, Found]:
        """Query all commits in one call; if git fails, retry each half separately, and leave out a commit that fails
        alone.

        Git fails if an object is missing. After a timeout, all commits are left out, since the halves would take as
        long.
        """
        if not commits:
            return {}
        try:
            return ask(commits)
        except GitFailed as error:
            half = len(commits) // 2 if error.status != TIMED_OUT else 0
            return self._each(commits[:half], ask) | self._each(commits[half:], ask) if half else {}

    def _git(self, *args: str, input: bytes = b"") -> bytes:
        return git(*args, env=self._env, input=input)


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes() if file.is_file() else b""
    except OSError:
        return b""


def _seconds(text: bytes) -> int:
    """Parse a commit's date, which may be missing or of any length."""
    digits = text.lstrip(b"0")[:20]
    return min(int(digits), LATEST) if digits.isdigit() else 0


def _commit(record: bytes) -> Commit:
    id, time, message = record.split(b"\n", 2)
    return Commit(id.decode(), _seconds(time), message)


def _with_changes(output: bytes) -> Iterator[tuple[Commit, list[str]]]:
    """Parse the output of `log -z --raw`: commits, each followed by what changed and the path, file by file."""
    commit: Commit | None = None
    paths: list[str] = []
    fields = iter(output.split(b"\0"))
    for field in fields:
        if field.startswith((b":", b"\n:")):
            path = next(fields, b"")
            if b"160000" not in field[:15]:
                paths.append(decode(path))
        elif field:
            if commit:
                yield commit, paths
            commit, paths = _commit(field), []
    if commit:
        yield commit, paths


def _lines(commits: Sequence[str]) -> bytes:
    return "".join(f"{id}\n" for id in commits).encode()


def _added_lines(output: bytes) -> dict[str, dict[str, tuple[str, ...]]]:
    """Parse the output of `diff-tree --stdin -p -U0`.

    The lines of each hunk are counted so that none of them is mistaken for a header.
    """
    found: dict[str, dict[str, list[str]]] = {}
    lines = (line for line in output.split(b"\n") if not line.startswith(b"\\"))  # "\\ No newline at end of file"
    files: dict[str, list[str]] = {}
    path, room = "", 0
    for line in lines:
        if hunk := HUNK_HEADER_BYTES.match(line):
            for _ in range(int(hunk[2] or 1)):
                next(lines, None)
            for _ in range(int(hunk[4] or 1)):
                text = next(lines, b"")[1:].strip()
                if len(text) >= SHORTEST_LINE and room > 0:
                    files.setdefault(path, []).append(decode(text))
                    room -= 1
        elif line.startswith(b"+++ "):
            path = _path(line[4:])
        elif _COMMIT.fullmatch(line):
            files, room = found.setdefault(line.decode(), {}), MOST_LINES
    return {id: {path: tuple(dict.fromkeys(lines)) for path, lines in files.items()} for id, files in found.items()}


def _spans(output: bytes) -> dict[str, list[Span]]:
    """Parse the spans of changed lines in the output of `diff-tree --stdin -p -U0 --full-index`; see `_added_lines`."""
    found: dict[str, list[Span]] = {}
    lines = (line for line in output.split(b"\n") if not line.startswith(b"\\"))
    spans: list[Span] = []
    path = blob = ""
    for line in lines:
        if hunk := HUNK_HEADER_BYTES.match(line):
            old, first, new = int(hunk[2] or 1), int(hunk[3]), int(hunk[4] or 1)
            for _ in range(old + new):
                next(lines, None)
            spans.append(Span(path, blob, first, first + max(new, 2 - new) - 1))
        elif line.startswith(b"index "):
            blob = decode(line[6:].split(b" ")[0].rpartition(b"..")[2])
        elif line.startswith(b"+++ "):
            path = _path(line[4:])
        elif _COMMIT.fullmatch(line):
            spans = found.setdefault(line.decode(), [])
    return found


def _path(name: bytes) -> str:
    if name.startswith(b'"'):
        name = _QUOTED.sub(lambda part: bytes([int(part[1], 8) if part[1] else _ESCAPED[part[2][0]]]), name[1:-1])
    return decode(name.rstrip(b"\t").removeprefix(b"b/"))


TermPostings = tuple[str, Numbers, Numbers]
"""A term, the numbers of the commits whose messages contain it, and how often it occurs in each."""


class MessageBatch:
    """Commits with the words of their messages, in the order in which they were added."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.times: list[int] = []
        self.subjects: list[str] = []
        self.changed: dict[str, tuple[str, ...]] = {}
        """The files that each commit changed."""
        self._number: dict[str, int] = {}
        """A number for each distinct word."""
        self._words = array("I")
        self._sizes = array("I")
        """The number of words of each message."""
        self._issues: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        """The messages that mention an issue, by their places in the batch, and how."""

    @property
    def size(self) -> int:
        """The number of words of all messages."""
        return len(self._words)

    def add(self, commit: Commit, changed: tuple[str, ...]) -> None:
        message = parse_message(commit.message)
        for number, kind in message.numbers.items():
            self._issues[f"#{number}"].append((len(self.ids), kind))
        known = self._number
        self._words.extend([known.setdefault(word, len(known)) for word in message.words])
        self._sizes.append(len(message.words))
        self.ids.append(commit.id)
        self.changed[commit.id] = changed
        self.times.append(commit.time)
        self.subjects.append(message.subject)

    def count_terms(self, numbers: Numbers, most: int) -> tuple[Iterator[TermPostings], Numbers]:
        """Return the postings of each term, in the order of the terms, and the number of terms of each message.

        `numbers` holds the number of each commit in ascending order, or -1 for a commit that is left out; `most` is the
        greatest count of a term in a message.
        """
        terms, term, place = self._occurrences()
        keys, counts = np.unique(term * len(self.ids) + place, return_counts=True)
        term, holders = np.divmod(keys, max(len(self.ids), 1))
        kept = numbers[holders] >= 0
        term, holders, counts = term[kept], numbers[holders[kept]], np.minimum(counts[kept], most)
        begins = np.searchsorted(term, np.arange(len(terms) + 1)).tolist()
        words = ((text, holders[a:b], counts[a:b]) for text, a, b in zip(terms, begins, begins[1:], strict=False))
        return chain(self._mentioned(numbers), (one for one in words if len(one[1]))), np.bincount(
            place, minlength=len(self.ids)
        )

    def _occurrences(self) -> tuple[list[str], Numbers, Numbers]:
        """Return the sorted terms, and the term and message of each occurrence of a term, as indexes."""
        parts = [split_identifier(word) for word in self._number]
        terms = sorted(set(chain.from_iterable(parts)))
        number = {term: place for place, term in enumerate(terms)}
        sizes = np.fromiter(map(len, parts), np.int64, len(parts))
        flat = np.fromiter(map(number.__getitem__, chain.from_iterable(parts)), np.int64, int(sizes.sum()))
        words = np.array(self._words, np.int64)
        places = np.repeat(np.arange(len(self.ids)), np.array(self._sizes, np.int64))
        each = sizes[words]
        first = np.cumsum(sizes) - sizes
        at = np.repeat(first[words] - (np.cumsum(each) - each), each) + np.arange(int(each.sum()))
        return terms, flat[at], np.repeat(places, each)

    def _mentioned(self, numbers: Numbers) -> Iterator[TermPostings]:
        for issue, mentions in sorted(self._issues.items()):
            places, kinds = np.array(mentions, np.int64).T
            kept = numbers[places] >= 0
            if kept.any():
                yield issue, numbers[places[kept]], kinds[kept]
