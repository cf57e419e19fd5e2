"""Files in which a repository gives instructions to contributors and agents, found in the listing of a tree.

The names follow agents.md, Claude Code, Gemini CLI, GitHub Copilot and Cursor. A file applies to the folder that holds
it and to everything below; files in `.github` and `.claude` apply to the folder that holds these.
"""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice

from aci.instructions.front_matter import read_fields, split_front_matter
from aci.observation.untrusted_text import clean_text
from trajectories.git_store.object_reader import Entry

LARGEST = 100_000
"""Maximum size in bytes of a file that is read."""
MOST_IMPORTS = 5
"""Maximum number of files that the `@path` lines of one CLAUDE.md include."""
MOST_READ, MOST_OF_FOLDER = 24, 24
"""Maximum number of files that are read at once, and that apply of one folder."""
RULE, CONTRIBUTING = 4, 5
"""The ranks of Cursor's rules and of guidelines for contributors."""
_RANKS = {"AGENTS.md": 0, "CLAUDE.md": 1, "GEMINI.md": 2}
_COPILOT = ".github/copilot-instructions.md"
_CURSOR = re.compile(r"(?:(.*)/)?\.cursor/rules/[^/]+\.mdc?", re.DOTALL)
_CONTRIBUTING = re.compile(r"contributing(?:\.(?:md|rst|txt))?", re.IGNORECASE)
_SKILL = re.compile(r"(?:(.*)/)?\.(?:agents|claude)/skills/[^/]+/SKILL\.md", re.DOTALL)
_ENDS = (".md", ".mdc", "CONTRIBUTING", "CONTRIBUTING.rst", "CONTRIBUTING.txt", "contributing.rst", "contributing.txt")
_IMPORT = re.compile(r"\s*@([^\s@]+\.(?:md|txt))\s*")


class _InFolder:
    """A file or text that applies to `folder`, "" for the root."""

    __slots__ = ()
    folder: str

    @property
    def depth(self) -> int:
        """The number of folders between the root and `folder`."""
        return self.folder.count("/") + 1 if self.folder else 0


@dataclass(frozen=True, slots=True)
class InstructionFile(_InFolder):
    """A file with instructions for `folder` ("" for the root). `rank` orders the files of one folder."""

    path: str
    folder: str
    rank: int
    id: str


@dataclass(frozen=True, slots=True)
class Instruction(_InFolder):
    """The text of an instruction file. `first_line` is the number of lines before it, which are front matter."""

    path: str
    rank: int
    text: str
    first_line: int = 0
    folder: str = ""


@dataclass(frozen=True)
class Instructions:
    """The instruction files and skills of one tree. `read_blob` reads a blob by its id."""

    files: Mapping[str, Entry] = field(default_factory=dict)
    read_blob: Callable[[str], bytes] = lambda id: b""

    @cached_property
    def by_folder(self) -> Mapping[str, tuple[InstructionFile, ...]]:
        """The instruction files of each folder, the most important first."""
        found: dict[str, list[InstructionFile]] = {}
        for path in self.files:
            if path.endswith(_ENDS) and (file := self._classify(path)):
                found.setdefault(file.folder, []).append(file)
        return {folder: tuple(sorted(own, key=lambda one: (one.rank, one.path))) for folder, own in found.items()}

    @cached_property
    def skills(self) -> tuple[str, ...]:
        """The paths of all `SKILL.md` files of skills, those of the root first."""
        found = [path for path in self.files if path.endswith("/SKILL.md") and _SKILL.fullmatch(path)]
        return tuple(
            sorted((path for path in found if self._is_readable(path)), key=lambda path: (path.count("/"), path))
        )

    def _is_readable(self, path: str) -> bool:
        """Return whether a path is a regular file of moderate size whose name can be shown."""
        entry = self.files[path]
        return entry.mode.startswith("100") and 0 < entry.size <= LARGEST and path.isprintable()

    def _classify(self, path: str) -> InstructionFile | None:
        folder, _, name = path.rpartition("/")
        holder, _, last = folder.rpartition("/")
        rank = _RANKS.get(name)
        if rank is not None:
            folder = holder if last in (".github", ".claude") else folder
        elif path == _COPILOT:
            folder, rank = "", 3
        elif cursor := _CURSOR.fullmatch(path):
            folder, rank = cursor[1] or "", RULE
        elif _CONTRIBUTING.fullmatch(name):
            folder, rank = holder if last in (".github", "docs") else folder, CONTRIBUTING
        else:
            return None
        entry = self.files[path]
        return InstructionFile(path, folder, rank, entry.id) if self._is_readable(path) else None

    def chain(self, path: str) -> Iterator[InstructionFile]:
        """Yield the files that apply to a file or folder, those of the root first."""
        parts = path.split("/") if path not in ("", ".") else []
        for end in range(len(parts) + 1):
            for file in self.by_folder.get("/".join(parts[:end]), ())[:MOST_OF_FOLDER]:
                if file.rank != RULE or self._rule_applies(file, path):
                    yield file

    def _rule_applies(self, file: InstructionFile, path: str) -> bool:
        """Return whether a rule of Cursor applies always, or to this path by its patterns."""
        data = self.read_blob(file.id)
        front, _ = split_front_matter(data.decode("utf-8", "replace"))
        fields = read_fields(front)
        if not front or fields.get("alwaysApply", "").lower() == "true":
            return True
        below = path.removeprefix(f"{file.folder}/")
        patterns = (pattern.strip().replace("**/", "*") for pattern in fields.get("globs", "")[:500].split(","))
        return any(fnmatch.fnmatchcase(below, pattern) for pattern in patterns if pattern)

    def read(self, chosen: Iterable[InstructionFile]) -> list[Instruction]:
        """Return the texts of these files, each text once, with the files that a CLAUDE.md imports after it.

        A file that is empty, binary, or only refers to another one of the repository's instruction files is left out.
        """
        found: dict[str, Instruction] = {}
        seen: set[str] = set()
        for file in islice(chosen, MOST_READ):
            text, lines = self._text(file.path)
            imports = _imports(text, posixpath.dirname(file.path)) if file.rank == 1 else []
            if not self._only_refers(file, text, imports):
                _add(found, seen, Instruction(file.path, file.rank, text, lines, file.folder))
            for path in imports[:MOST_IMPORTS]:
                if path in self.files and self._is_readable(path):
                    _add(found, seen, Instruction(path, file.rank, *self._text(path), file.folder))
        return list(found.values())

    def _text(self, path: str) -> tuple[str, int]:
        """Return a file's clean text without its front matter, and the number of lines of the front matter."""
        data = self.read_blob(self.files[path].id)
        front, text = split_front_matter("" if b"\0" in data else clean_text(data))
        return text, front.count("\n") + 3 if front else 0

    def _only_refers(self, file: InstructionFile, text: str, imports: list[str]) -> bool:
        """Return whether each line of a text is a heading, imports a file, or names another instruction file."""
        others = {one.path.rpartition("/")[2] for one in self.by_folder.get(file.folder, ()) if one.path != file.path}
        return (
            all(
                not line.strip()
                or line.startswith("#")
                or _IMPORT.fullmatch(line)
                or (len(line) < 200 and any(name in line for name in others))
                for line in text[:2_000].split("\n")
            )
            and len(text) <= 2_000
        )


def _add(found: dict[str, Instruction], seen: set[str], one: Instruction) -> None:
    plain = " ".join(one.text.split())
    if plain and plain not in seen and one.path not in found:
        seen.add(plain)
        found[one.path] = one


def _imports(text: str, folder: str) -> list[str]:
    """Return the paths that lines `@path` import. Those that leave the tree are the names of no file in it."""
    named = (match[1] for line in text.split("\n") if (match := _IMPORT.fullmatch(line)))
    paths = (posixpath.normpath(posixpath.join(folder, name)) for name in named if not name.startswith(("/", "~")))
    return list(dict.fromkeys(paths))
