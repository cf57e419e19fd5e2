"""Set-up, test and lint commands that instruction files document, found by their form.

A command counts if it is in a code block or in inline code, if the heading or the sentence around it is about commands,
and if the whole of it is one plain call of a known program. Text that does not have such a form is never a command, so
a file cannot add operators, substitutions, variables or further lines to one.

Recipes of make and just are read to judge a documented command that calls one.
"""

from __future__ import annotations

import re
import shlex
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, islice, pairwise
from typing import Literal

from aci.instructions.instruction_files import Instruction, Instructions
from aci.instructions.markdown_parser import parse_blocks, split_inline
from aci.observation.untrusted_text import one_line

Kind = Literal["setup", "test", "lint"]
LONGEST, MOST, MOST_FILES = 200, 50, 5
"""Maximum number of characters of a command, of lines of one file that may be commands, and of files."""
LONGEST_SENTENCE = 300
"""Maximum number of characters that are searched of a heading, of a sentence before a code block, and of a command with
its comment."""
_SHELLS = frozenset({"", "sh", "bash", "shell", "zsh", "console", "shell-session", "terminal", "text"})
_PLAIN = re.compile(r"[A-Za-z0-9_./:=@%+,\[\]\"' -]+")
_OUTSIDE = re.compile(r"(?<!\.)\.\.(?:/|$)|(?:^|[=,@]|^-\w+)/")
"""Matches words with the path of a parent folder or an absolute path."""
_ABOUT = re.compile(
    r"\b(?:tests?|testing|lint\w*|check\w*|format\w*|install\w*|set[- ]?up|build\w*|command\w*|develop\w*|run(?:ning)?"
    r"|getting started|quick ?start|environment|verif\w+|validat\w+)\b",
    re.IGNORECASE,
)
_NOT = re.compile(
    r"\b(?:not|never|don['\u2019]t|avoid|instead of|without|deprecated|single|specific|example)\b", re.IGNORECASE
)
"""Matches common sentences that warn of a command, or that show how to run a part of the tests. Others are missed, so
nothing runs without isolation on the strength of this alone."""
_WRAPPERS = re.compile(
    r"(?:(?:uv|poetry|pdm|pipenv|rye|pixi|hatch) run(?: --?[\w-]+(?:=\S+)?)*|bundle exec|npx|python[\d.]* -m) "
)
_TARGET = r"(?:[\w.-]*[_.-])?(?:{})(?:[_.-][\w.-]*)?"
_FORMS: dict[Kind, tuple[str, ...]] = {
    "lint": (
        r"(?:ruff|flake8|pylint|mypy|pyright|black|isort|eslint|prettier|golangci-lint|pre-commit run)\b.*",
        r"(?:cargo (?:fmt|clippy)|go vet)\b.*",
        r"(?:npm|pnpm|yarn|bun|make|just|task)(?: run)? (?:lint|fmt|format)[\w:-]*",
    ),
    "test": (
        r"(?:pytest|py\.test|unittest|tox|nox|hatch test|ctest|phpunit|vendor/bin/phpunit|rspec)(?: .*)?",
        r"(?:go test|cargo (?:nextest run|test)|dotnet test|rake (?:test|spec)|mix test|swift test)(?: .*)?",
        r"(?:npm|pnpm|yarn|bun)(?: run)? (?:test|tests)(?::[\w:-]+)?|npm t|vitest run|jest",
        r"(?:mvn|\./mvnw|gradle|\./gradlew)(?: -[\w.=:-]+)* :?(?:test|check|verify)",
        rf"(?:make|just|task)(?: -j ?\d*)? {_TARGET.format('tests?|check')}",
        r"(?:python[\d.]* )?(?:\./)?(?:[\w.-]+/)*(?:manage\.py test|run_?-?tests?\.(?:py|sh))",
    ),
    "setup": (
        r"(?:pip3? install|uv (?:sync|pip install)|(?:poetry|pdm|pipenv) install|conda env create)\b.*",
        r"(?:npm|pnpm|bun) (?:ci|install|i)|yarn(?: install)?(?: --[\w-]+)*|bundle install|composer install",
        r"go mod download|cargo (?:build|fetch)|(?:npm|pnpm|yarn|bun) (?:run )?build[\w:-]*",
        r"(?:python[\d.]* )?setup\.py (?:build_ext --inplace|develop)|maturin develop",
        rf"(?:make|just|task) {_TARGET.format('install|setup|set-up|bootstrap|deps|dev|develop|build|init')}",
    ),
}
_KINDS = {kind: re.compile("|".join(forms)) for kind, forms in _FORMS.items()}
_RUN_SCRIPT = re.compile(r"[\w./-]*(?:run_?-?tests?|manage)\.(?:py|sh)")
_PART = re.compile(
    r"::|(?:^|\s)-k\b|(?:^|\s)(?!-)\S+\.(?:py|[cm]?[jt]sx?|go|rs|rb|php)\b|path/to|\b(?:foo|xxx|debug|e2e)\b",
    re.IGNORECASE,
)
"""Matches arguments that select a part of the tests."""
_OTHER = re.compile(r"\b(?:watch|serve|docs?|release|publish)\b", re.IGNORECASE)
"""Matches commands that do not end, or that have another purpose."""
_PROGRAM = re.compile(
    r"`[^`]*\b(?:pytest|py\.test|unittest|tox|nox|ctest|phpunit|rspec|jest|vitest|setup\.py|maturin|ruff|flake8|pylint|mypy"
    r"|pyright|black|isort|eslint|prettier|golangci-lint|pre-commit|run_?-?tests?\.(?:py|sh)|manage\.py"
    r"|(?:hatch|go|cargo|dotnet|rake|mix|swift|npm|pnpm|yarn|bun|mvn|mvnw|gradle|gradlew|make|just|task|pip3?|uv|poetry|pdm"
    r"|pipenv|conda|bundle|composer) [\w:-])"
)
"""Matches a paragraph that may have a command in inline code; a quick check before the paragraph is parsed."""
_CODE = "\ufffc"
_SENTENCE_END = re.compile(r"(?<=[.;!?])\s|\n(?=\s*[-*|])")


@dataclass(frozen=True, slots=True)
class DocumentedCommand:
    """A command with the place that documents it."""

    kind: Kind
    text: str
    path: str
    line: int

    @property
    def where(self) -> str:
        return f"{self.path}, line {self.line}"


def find_commands(instructions: Iterable[Instruction]) -> list[DocumentedCommand]:
    """Return the commands that the files document, in order, each only once."""
    found: dict[tuple[Kind, str], DocumentedCommand] = {}
    for one in instructions:
        for line, text in islice(_candidates(one.text), MOST):
            if (command := plain_command(text)) and (kind := classify(command)):
                place = DocumentedCommand(kind, command, one.path, one.first_line + line)
                found.setdefault((kind, command), place)
    return list(found.values())


def root_commands(instructions: Instructions) -> list[DocumentedCommand]:
    """Return the commands that the files of the root document."""
    return find_commands(instructions.read(instructions.by_folder.get("", ())[:MOST_FILES])[:MOST_FILES])


def plain_command(text: str) -> str:
    """Return a line of shell as one call of a program, without a prompt and a comment; "" if it is anything else."""
    text = text.strip()
    if len(text) > LONGEST_SENTENCE:
        return ""
    text = re.sub(r"\s+#\s.*", "", text.removeprefix("$ ")).strip()
    if not text or len(text) > LONGEST or not _PLAIN.fullmatch(text):
        return ""
    try:
        words = shlex.split(text)
    except ValueError:
        return ""
    is_call = bool(words) and not re.match("-|[^=]*=", words[0]) and not any(map(_OUTSIDE.search, words))
    return shlex.join(words) if is_call else ""


def bare_command(command: str) -> str:
    """Return a command without programs that only choose its environment: `pytest` for `uv run python -m pytest`."""
    while wrapper := _WRAPPERS.match(command):
        command = command[wrapper.end() :]
    return command


def classify(command: str) -> Kind | None:
    """Return what a plain command does; None if that is not known, or if it runs only a part of the tests."""
    for kind, form in _KINDS.items():
        if form.fullmatch(bare_command(command)) or form.fullmatch(command):
            is_part = kind == "test" and _PART.search(_RUN_SCRIPT.sub("", command))
            return None if is_part or _OTHER.search(command) else kind
    return None


def _candidates(text: str) -> Iterator[tuple[int, str]]:
    """Yield the number of each line of code that may be a command, and the line.

    The text before a code block counts as its sentence if it ends with a colon.
    """
    heading, sentence = "", ""
    tokens = parse_blocks(text)
    for before, token in pairwise(tokens):
        if token.type in ("fence", "code_block"):
            language = token.info.strip().split(" ")[0].strip("{}").lower() if token.type == "fence" else ""
            lead = sentence if sentence.endswith(":") else ""
            if language in _SHELLS and _ABOUT.search(f"{heading} {lead}") and not _NOT.search(lead):
                yield from _lines_of_block(token.content, (token.map or [0])[0] + (token.type == "fence") + 1)
        elif token.type == "inline":
            sentence = token.content.rstrip()[-LONGEST_SENTENCE:]
            if before.type == "heading_open":
                heading, sentence = token.content[:LONGEST_SENTENCE], ""
            else:
                yield from _inline_code(token.content, heading, (token.map or [0])[0] + 1)


def _lines_of_block(code: str, first: int) -> Iterator[tuple[int, str]]:
    """Yield the lines of a code block. Lines that are continued, and those after a comment that warns, do not count."""
    warned = continued = False
    for number, line in enumerate(code.split("\n"), first):
        if line.lstrip().startswith("#"):
            warned = bool(_NOT.search(line))
        elif not line.strip():
            warned = False
        elif not (warned or continued or line.rstrip().endswith("\\") or _NOT.search(line.partition(" # ")[2])):
            yield number, line
        continued = line.rstrip().endswith("\\")


def _inline_code(text: str, heading: str, first: int) -> Iterator[tuple[int, str]]:
    """Yield the inline code of a paragraph whose sentence, or heading, is about commands."""
    if "`" not in text or not _PROGRAM.search(text):
        return
    parts = split_inline(text)
    prose = "".join(_CODE if is_code else part for is_code, part in parts)
    starts = accumulate((1 if is_code else len(part) for is_code, part in parts), initial=0)
    bounds = [0, *(match.start() for match in _SENTENCE_END.finditer(prose)), len(prose)]
    judged: dict[int, bool] = {}
    place, line = 0, first
    for at, (is_code, code) in zip(starts, parts, strict=False):
        if not is_code:
            continue
        number = bisect_right(bounds, at, 1, len(bounds) - 1)
        if number not in judged:
            sentence = prose[bounds[number - 1] : bounds[number]]
            judged[number] = not _NOT.search(sentence) and bool(_ABOUT.search(sentence) or _ABOUT.search(heading))
        found = max(text.find(code, place), place)
        line, place = line + text.count("\n", place, found), found
        if judged[number]:
            yield line, code


def describe_command(command: DocumentedCommand) -> str:
    """Return a phrase about the command for users."""
    return f"`{command.text}`, from {one_line(command.where)}"


FILES = {
    "make": ("GNUmakefile", "Makefile", "makefile"),
    "just": ("justfile", "Justfile", ".justfile"),
}
UNUSABLE = re.compile(r"\b(?:docker|podman|compose|sudo|ssh|curl|wget|kubectl|vagrant|terraform)\b")
"""Matches programs that a container without network and privileges cannot run."""
LARGEST = 250_000
"""Maximum number of characters of a file; the targets of a larger one are unknown."""
_RULE = re.compile(r"@?([^\s#@:=][^:=]*):(?!=)")
_CALL = re.compile(r"(?:\$\(MAKE\)|\bmake|\bjust)[ \t]+([\w.-]+)")


def find_recipe(command: str, look: Callable[[str], str]) -> str | None:
    """Return the recipe that a call such as `make test` runs, with those of its prerequisites; None if the command does
    not call make or just, or if there is no such target. `look` returns the text of a file, "" if it is missing."""
    program, *words = command.split()
    targets = [word for word in words if not word.startswith("-") and "/" not in word]
    text = next((text for name in FILES.get(program, ()) if (text := look(name))), "")
    if not targets or len(text) > LARGEST:
        return None
    rules = _parse_rules(text)
    waiting, recipes, seen = deque(targets[-1:]), list[str](), set[int]()
    while waiting:
        for rule in rules.get(waiting.popleft(), ()):
            if id(rule) not in seen:
                seen.add(id(rule))
                prerequisites, recipe = rule[0], "\n".join(rule[1:])
                waiting += [*prerequisites.split(), *_CALL.findall(recipe)]
                recipes.append(recipe)
    return "\n".join(recipes) if recipes else None


def _parse_rules(text: str) -> dict[str, list[list[str]]]:
    """Return the rules of each target: the prerequisites, then the lines of the recipe."""
    rules: dict[str, list[list[str]]] = {}
    rule: list[str] = []
    for line in text.split("\n"):
        if line.startswith((" ", "\t")):
            rule.append(line)
        elif found := _RULE.match(line):
            rule = [line[found.end() :].lstrip(":")]
            for target in dict.fromkeys(found[1].split()):
                rules.setdefault(target, []).append(rule)
        elif line.strip() and not line.startswith("#"):
            rule = []
    return rules
