"""Conversion of Dockerfiles to set-up: the last stage's image, variables and commands, which run under the limits of
set-up.

`docker build` is not used, because its commands have more rights and fewer limits. A Dockerfile that cannot be read in
this way (stages that copy from each other, files from the network) is reported, and another source is used.
"""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from aci.environments.environment_plan import Command, Files
from aci.environments.registries import image_refusal
from extensions.environments.manifests.devcontainer import Dockerfile, path_inside
from extensions.environments.setup_container import ROOT

_IGNORED = (
    "CMD",
    "ENTRYPOINT",
    "EXPOSE",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "STOPSIGNAL",
    "VOLUME",
    "ONBUILD",
    "USER",
)
_HEREDOC = re.compile(r"<<-?\s*['\"]?\w+")
_REFERENCE = re.compile(r"\\(.)|\$(?:(\w+)|\{(\w+)(?:(:[-+])([^}]*))?\})")
_PAIR = re.compile(r"""(?<!\w)([A-Za-z_]\w*)=("(?:[^"\\]|\\.)*"|'[^']*'|(?:[^\s\\]|\\.)*)""")
_MOST, _MOST_VARIABLES = 1000, 200
"""The maximum number of instructions of a Dockerfile, and of variables of a stage."""

_LONGEST, _ALL = 10_000, 1_000_000
"""The maximum number of characters of a value or of an instruction other than RUN, and of all values and commands
together."""

_FLAG = re.compile(r"--(\w[\w-]*)(?:=(\S+))?\s+")


class UnusableDockerfile(Exception):
    """The Dockerfile cannot be read as set-up. The message completes a sentence that starts with the Dockerfile's
    name."""


@dataclass
class DockerfileStage:
    """A parsed stage of a Dockerfile."""

    image: str = ""
    stage: str = ""
    workdir: str = "/"
    variables: dict[str, str] = field(default_factory=dict)
    paths: tuple[str, ...] = ()
    commands: list[Command] = field(default_factory=list)
    copied: list[str] = field(default_factory=list)
    untaken: list[str] = field(default_factory=list)
    """Sentences about the parts that are not used."""

    args: dict[str, str] = field(default_factory=dict)


def read_dockerfile(where: Dockerfile, files: Files) -> DockerfileStage:
    """Return the target stage, or the last one. Raises UnusableDockerfile."""
    reader = _Reader(where, files)
    text = files[where.path].decode("utf-8", "replace")
    if len(text) > _ALL:
        raise UnusableDockerfile("is too long")
    for number, (word, rest) in enumerate(instructions(text)):
        if number == _MOST:
            raise UnusableDockerfile(f"has more than {_MOST} instructions")
        reader.take(word, rest)
    return reader.result()


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Yield each instruction, with continued lines joined and without comments. Raises UnusableDockerfile for
    here-documents."""
    escape = "`" if re.search(r"^#\s*escape\s*=\s*`", text, re.MULTILINE | re.IGNORECASE) else "\\"
    whole = ""
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            continue
        stripped = line.rstrip()
        if stripped.endswith(escape):
            whole += stripped[:-1] + " "
            continue
        if not stripped and whole:
            continue
        whole += stripped
        word, _, rest = whole.strip().partition(" ")
        whole = ""
        if word:
            if word.upper() in ("RUN", "COPY", "ADD") and _HEREDOC.search(rest):
                raise UnusableDockerfile("has a here-document")
            yield word.upper(), rest.strip()


class _Reader:
    def __init__(self, where: Dockerfile, files: Files) -> None:
        self._where, self._files = where, files
        self._global: dict[str, str] = {}
        self._stages: list[DockerfileStage] = []
        self._size = 0

    def result(self) -> DockerfileStage:
        if not self._stages:
            raise UnusableDockerfile("has no FROM")
        if not self._where.target:
            return self._stages[-1]
        for stage in self._stages:
            if stage.stage == self._where.target.lower():
                return stage
        raise UnusableDockerfile(f"has no stage {self._where.target[:60]!r}")

    def take(self, word: str, rest: str) -> None:
        if len(rest) > (_LONGEST * 10 if word == "RUN" else _LONGEST):
            raise UnusableDockerfile(f"has a {word[:20]} that is too long")
        if word == "FROM":
            self._from(rest)
        elif word == "ARG":
            self._arg(rest)
        elif not self._stages:
            raise UnusableDockerfile(f"begins with {word[:20]!r}, not with FROM")
        elif word in ("COPY", "ADD"):
            self._copy(word, rest)
        elif word == "RUN":
            self._run(rest)
        elif word == "ENV":
            self._env(rest)
        elif word == "WORKDIR":
            self._workdir(rest)
        elif word not in (*_IGNORED, "SHELL"):
            raise UnusableDockerfile(f"has the unknown instruction {word[:20]!r}")

    @property
    def _stage(self) -> DockerfileStage:
        return self._stages[-1]

    def _from(self, rest: str) -> None:
        words = [self._value(word, self._global) for word in _without_flags(rest)[0].split()]
        if not words:
            raise UnusableDockerfile("has a FROM without an image")
        name = words[2].lower() if len(words) == 3 and words[1].upper() == "AS" else ""
        before = next((stage for stage in self._stages if stage.stage and stage.stage == words[0].lower()), None)
        if before:  # the stage is based on an earlier one
            self._stages.append(
                DockerfileStage(
                    before.image,
                    name,
                    before.workdir,
                    dict(before.variables),
                    before.paths,
                    [*before.commands],
                    [*before.copied],
                    [*before.untaken],
                )
            )
            return
        if words[0] != "scratch" and (why := image_refusal(words[0])):
            raise UnusableDockerfile(f"starts from {words[0][:80]!r}: {why}")
        self._stages.append(DockerfileStage(words[0], name))

    def _arg(self, rest: str) -> None:
        for name, _, default in (word.partition("=") for word in _words(rest)):
            known = self._stage.args if self._stages else self._global
            value = self._where.args.get(name, default or self._global.get(name, ""))
            known[name] = self._value(value, self._variables() if self._stages else self._global)
            if len(known) > _MOST_VARIABLES:
                raise UnusableDockerfile("has too many variables")

    def _value(self, text: str, known: Mapping[str, str]) -> str:
        """Return a value with its variable references replaced. Raises UnusableDockerfile if it, or the total of all
        values, is too long."""
        found = expand_variables(text, known) if len(text) <= _LONGEST else text
        if len(found) > _LONGEST:
            raise UnusableDockerfile("has a value that is too long")
        self._add_size(found)
        return found

    def _add_size(self, text: str) -> None:
        self._size += len(text)
        if self._size > _ALL:
            raise UnusableDockerfile("has more than a million characters")

    def _variables(self) -> dict[str, str]:
        return {**self._stage.args, **self._stage.variables}

    def _env(self, rest: str) -> None:
        pairs = _PAIR.findall(rest)
        if not pairs:
            name, _, value = rest.partition(" ")
            pairs = [(name, value.strip())]
        for name, raw in pairs:
            value = self._value(_bare(raw), {**self._variables(), "PATH": "$PATH"})
            if name == "PATH":
                self._path(value)
                continue
            self._stage.variables[name] = value
            if len(self._stage.variables) > _MOST_VARIABLES:
                raise UnusableDockerfile("has too many variables")

    def _path(self, value: str) -> None:
        """Add the folders that a value of PATH lists before $PATH. The image's own PATH is not known before the
        container runs."""
        before, own, after = value.partition("$PATH")
        first = tuple(part for part in before.split(":") if part.startswith("/")) if own else ()
        self._stage.paths = (*first, *self._stage.paths)
        if after.strip(":") or not own:
            self._stage.untaken.append(f"PATH={value[:200]} in {self._where.path}: only folders before $PATH are used.")

    def _workdir(self, rest: str) -> None:
        place = posixpath.normpath(posixpath.join(self._stage.workdir, self._value(_bare(rest), self._variables())))
        self._stage.workdir = place
        self._add_command(f"mkdir -p {shlex.quote(place)}", "WORKDIR", "/")

    def _run(self, rest: str) -> None:
        rest, _ = _without_flags(rest)
        self._add_command(_exec_form(rest) or rest, "RUN")

    def _copy(self, word: str, rest: str) -> None:
        rest, flags = _without_flags(rest)
        if "from" in flags:
            raise UnusableDockerfile("copies from another stage or image")
        form, known = _exec_form(rest), self._variables()
        *sources, target = [self._value(name, known) for name in _words(form or rest)] or [""]
        if not sources:
            raise UnusableDockerfile(f"has a {word} without a source")
        if any("://" in name or name.startswith("git@") for name in sources):
            raise UnusableDockerfile("adds files from the network")
        found = [path_inside(self._where.context, name.lstrip("/")) for name in sources]
        places = [place for place in found if place is not None]
        if len(places) < len(found):
            raise UnusableDockerfile("copies from outside the repository")
        self._stage.copied += [place for place in places if place in self._files]
        self._add_command(_copying(places, target, self._stage.workdir, self._files), word, "/")

    def _add_command(self, command: str, word: str, place: str = "") -> None:
        """Add a command, with the stage's working directory, arguments and variables."""
        known = {**self._stage.args, **self._stage.variables}
        exports = "".join(f"export {name}={shlex.quote(value)}; " for name, value in known.items())
        paths = f"export PATH={shlex.quote(':'.join(self._stage.paths))}:$PATH; " if self._stage.paths else ""
        where = f"cd {shlex.quote(place or self._stage.workdir)} && " if (place or self._stage.workdir) != "/" else ""
        text = f"{exports}{paths}{where}{command}" if word == "RUN" else command
        self._add_size(text)
        self._stage.commands.append(Command(text, f"{word} in {self._where.path}"))


def _copying(sources: list[str], target: str, workdir: str, files: Files) -> str:
    """Return the `cp` commands for a COPY instruction, which copies the contents of a folder, not the folder itself.
    `--` and quotes protect unusual names."""
    folder = "/" if target.endswith("/") or target in (".", "..") or len(sources) > 1 else ""
    place = posixpath.normpath(posixpath.join(workdir, target)).rstrip("/") + folder or "/"
    lines = []
    for source in sources:
        here = posixpath.join(ROOT, source) if source else ROOT
        if source in files:
            parent = place if folder else posixpath.dirname(place)
            lines.append(f"mkdir -p {shlex.quote(parent)} && cp -P -- {shlex.quote(here)} {shlex.quote(place)}")
        elif re.search(r"[*?\[]", source):
            pattern = "/".join(re.sub(r"[^\w./*?\[\]-]", "?", part) for part in here.split("/"))
            lines.append(f"mkdir -p {shlex.quote(place)} && cp -RP -- {pattern} {shlex.quote(place)}")
        else:
            lines.append(f"mkdir -p {shlex.quote(place)} && cp -RP -- {shlex.quote(here)}/. {shlex.quote(place)}")
    return " && ".join(lines)


def expand_variables(text: str, known: Mapping[str, str]) -> str:
    """Replace `$NAME`, `${NAME}`, `${NAME:-word}` and `${NAME:+word}` by known values; unknown names are empty."""

    def value(match: re.Match[str]) -> str:
        if match[1]:
            return match[1]
        found = known.get(match[2] or match[3], "")
        if match[4] == ":-":
            return found or match[5]
        return match[5] if match[4] and found else "" if match[4] else found

    return _REFERENCE.sub(value, text)


def _without_flags(rest: str) -> tuple[str, list[str]]:
    """Return the text after the flags (`--name=value`) at the start, and the names of the flags."""
    place, names = 0, []
    while flag := _FLAG.match(rest, place):
        place = flag.end()
        names.append(flag[1])
    return rest[place:], names


def _exec_form(rest: str) -> str:
    """Return the exec form `["a", "b c"]` as a shell command; empty if it is not in that form."""
    try:
        words = json.loads(rest) if rest.startswith("[") else None
    except (ValueError, RecursionError):
        return ""
    return shlex.join(words) if isinstance(words, list) and all(isinstance(word, str) for word in words) else ""


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UnusableDockerfile(f"has a line that cannot be read: {error}") from None


def _bare(text: str) -> str:
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1] if quoted else text
