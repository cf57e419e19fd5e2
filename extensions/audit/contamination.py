"""Signs that a fix was copied rather than found: from an installed copy, a download, a remote or a later version.

A workspace contains nothing later than the base and has no network. The remaining sources are copies of the package in
the image and, if no container is used, the whole machine. Findings are reported and do not change a verdict: people
decide what they mean.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aci.runtime.shell_session import quote
from aci.runtime.workspace import HARNESS_SESSION
from trajectories.errors import WorkspaceError
from trajectories.records import Action, Observation, Step

if TYPE_CHECKING:
    from aci.runtime.workspace import Workspace
    from trajectories.git_store.trees import Trees

MOST_SENTENCES = 5
_PATIENCE = 20.0
_NOT_PACKAGES = frozenset({"test", "tests", "testing", "docs", "doc", "examples", "benchmarks", "scripts", "tools"})
_PYTHON = frozenset({"download", "install", "add", "index", "wheel"})
_NODE = frozenset({"pack", "view", "install", "add", "i"})
_FETCH = {
    **dict.fromkeys(("pip", "uv", "conda", "mamba", "pipx", "poetry"), _PYTHON),
    **dict.fromkeys(("npm", "pnpm", "yarn"), _NODE),
    **{
        "go": {"get"},
        "cargo": {"add", "install", "fetch"},
        "gem": {"install", "fetch"},
        "apt": {"source"},
        "apt-get": {"source"},
    },
}
"""Programs that fetch packages, each with the subcommands that do so."""

_REACH = frozenset({"fetch", "pull", "clone", "ls-remote"})
_REACH_BY = {"remote": {"add", "update", "set-url"}, "submodule": {"update"}}
_SHOW = frozenset({"log", "rev-list", "show", "branch", "diff", "grep", "tag", "for-each-ref"})
_LATER = re.compile(r"--all|--remotes(?:=.*)?|(?:refs/remotes|origin|upstream)/.+")
_OTHER_BRANCHES = re.compile(r"-[a-z]*[ar][a-z]*")
_WITH_VALUE = frozenset({"-S", "-G", "-e", "--grep"})
_LEADING = frozenset(
    {
        *("sudo", "time", "timeout", "env", "xargs", "nice", "nohup", "exec", "command", "bash", "sh"),
        *("if", "then", "else", "while", "until", "do", "!", "{"),
    }
)
_AHEAD = re.compile(r"-|\d|\w+=")
_ENDS = re.compile(r"[;&|\n()`]+")
_WORD = re.compile(r"""(?:[^\s'"]|'[^']*'|"[^"]*")+|['"]\S*""")
_HERE = re.compile(r"<<-?\s*['\"]?(\w+)")
# Maximum number of characters of a command that are examined; the rest is unlikely to reveal a fix.
_READ_AT_MOST = 8_000
_WEB = re.compile(r"https?://[^\s'\"<>|;)]+")
_LOADS = re.compile(r"\b(?:curl|wget|urlopen|urlretrieve|requests\.get|httpx)\b")
_NOWHERE = (".localhost", ".test", ".invalid", ".example", ".local")
_FAILED = re.compile(
    r"could not resolve|name or service not known|temporary failure|network is unreachable|no matching distribution"
    r"|connection refused|could not find a version|fatal: (?:unable|could not|no remote|'?\S+'? does not appear)",
    re.IGNORECASE,
)

_PROBE = """\
import sys
from importlib.util import find_spec
root, checkout = (folder.rstrip("/") + "/" for folder in sys.argv[1:3])
for name in sys.argv[3:]:
    spec, version = None, ""
    try:
        spec = find_spec(name)
        if spec is None or not spec.origin or spec.origin.startswith(root):
            continue
        if spec.origin.startswith(checkout) and "/site-packages/" not in spec.origin:
            continue  # the files of the checkout itself, such as those of a legacy editable install
        import importlib.metadata as metadata  # slow to import
        names = metadata.packages_distributions().get(name) if hasattr(metadata, "packages_distributions") else None
        found = metadata.distribution((names or [name])[0])
        if "file://" in (found.read_text("direct_url.json") or ""):
            continue  # installed by the set-up, from the repository itself
        version = found.version
    except ImportError:  # no metadata, or a Python without importlib.metadata
        if spec is None:
            continue
    except Exception:  # a package may raise anything when it is looked up
        continue
    print(name, version, spec.origin, sep="\\t")
"""


def package_names(trees: Trees, tree: str) -> tuple[str, ...]:
    """Return the import names of the repository's own packages, and the name under which the project is published."""
    files = trees.files(tree)
    parts = [path.removeprefix("src/").split("/") for path in files if path.endswith("/__init__.py")]
    found = {folders[0] for folders in parts if len(folders) == 2 and folders[0].isidentifier()}
    return tuple(sorted(found - _NOT_PACKAGES | set(_published(trees, tree, files))))


def find_contamination(
    steps: Iterable[Step], names: Sequence[str], searched: Callable[[str], Sequence[str]]
) -> tuple[str, ...]:
    """Return a sentence for each step that may have revealed the fix.

    `names` are the names of the repository's package, and `searched` returns the arguments of a tool that hold commands
    or paths.
    """
    sentences = dict.fromkeys(
        f"Step {step.id} {what}."
        for step in steps
        for action, seen in zip(step.actions, step.observations, strict=False)
        for what in _suspicions(action, seen, names, searched(action.tool))
    )
    shown = list(sentences)[:MOST_SENTENCES]
    more = len(sentences) - len(shown)
    return (*shown, f"{more} more such steps.") if more else tuple(shown)


def find_installed_copies(workspace: Workspace, trees: Trees, tree: str, checkout: Path) -> tuple[str, ...]:
    """Return a sentence for each copy of the repository's package that the image has outside the repository, whose
    work tree on this machine is `checkout`."""
    names = [name for name in package_names(trees, tree) if name.isidentifier()]
    if not names:
        return ()
    words = b" ".join(map(quote, (workspace.root, str(checkout), *names))).decode()
    python = '"$(command -v python || command -v python3)"'
    command = f"(cd {quote(workspace.scratch).decode()} && PYTHONPATH= {python} -c {quote(_PROBE).decode()} {words})"
    try:
        ran = workspace.run(f"{command} 2>/dev/null", _PATIENCE, HARNESS_SESSION)
    except WorkspaceError:
        return ()  # the next use of the workspace raises the error
    rows = [row for line in ran.text.splitlines() if len(row := line.split("\t")) == 3]
    return tuple(_copy(name, version, origin, _version(trees, tree)) for name, version, origin in rows)


def _suspicions(action: Action, seen: Observation, names: Sequence[str], searched: Sequence[str]) -> Iterator[str]:
    succeeded = seen.ok and not _FAILED.search(seen.text)
    for field in searched:
        text = _without_files(str(action.arguments.get(field) or ""))[:_READ_AT_MOST]
        if path := _installed(text, names):
            yield (f"read {path}, an installed copy of the package" if seen.ok else f"looked for {path}")
        for program, words in _commands(text):
            if named := _named(_fetched(program, words), names):
                yield f"{'fetched' if succeeded else 'tried to fetch'} {named}"
            if program == "git" and (what := _git_suspicion(words, succeeded)):
                yield what
        if _LOADS.search(text) and (address := next(filter(_is_elsewhere, _WEB.findall(text)), "")):
            yield f"{'read' if succeeded else 'tried to read'} {address[:100]}"


def _without_files(text: str) -> str:
    """Return the text without here-documents that are only written to files."""
    lines, end = [], ""
    for line in text.splitlines():
        if end:
            end = "" if line.strip() == end else end
            continue
        lines.append(line)
        if (here := _HERE.search(line)) and re.search(r"\bcat\b|\btee\b", line) and (">" in line or "tee" in line):
            end = here[1]
    return "\n".join(lines)


def _commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the programs in a shell command, each with its arguments; an approximation without a real shell parser."""
    for part in _ENDS.split(text):
        words = [word.strip("'\"") for word in _WORD.findall(part)]
        while words and (words[0] in _LEADING or _AHEAD.match(words[0])):
            words.pop(0)
        words[:1] = words[0].split() if words else []
        if len(words) > 2 and "python" in words[0] and words[1] == "-m":
            words = words[2:]
        if words:
            yield re.sub(r"(?<=pip)[\d.]+$", "", PurePosixPath(words[0]).name), words[1:]


def _fetched(program: str, words: Sequence[str]) -> Sequence[str]:
    """Return the arguments after a subcommand that fetches packages: the packages and the options."""
    verbs = _FETCH.get(program, ())
    return next((words[at + 1 :] for at, word in enumerate(words) if word in verbs), ())


def _git_suspicion(words: list[str], succeeded: bool) -> str:
    while words and words[0].startswith("-"):
        words = words[2:] if words[0] in ("-C", "-c") else words[1:]
    command, given = words[0] if words else "", words[1:]
    if command in _REACH or (given and given[0] in _REACH_BY.get(command, ())):
        return "read from a remote" if succeeded else "tried to reach a remote"
    lost = command == "fsck" and {"--lost-found", "--unreachable"} & set(given)
    if command == "reflog" or lost or (command in _SHOW and _names_other_branches(command, given)):
        return "looked for commits after the base; a workspace contains none"
    return ""


def _names_other_branches(command: str, given: Sequence[str]) -> bool:
    """Whether the arguments name branches other than the base's; patterns and paths do not count."""
    plain = given[: given.index("--")] if "--" in given else given
    named = [word for before, word in zip(("", *plain), plain, strict=False) if before not in _WITH_VALUE]
    return any(_LATER.fullmatch(word) or (command == "branch" and _OTHER_BRANCHES.fullmatch(word)) for word in named)


def _is_elsewhere(address: str) -> bool:
    """Whether a URL is on another machine, with a host name that may exist."""
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:
        return False
    return "." in host and not host.startswith(("127.", "0.")) and not host.endswith(_NOWHERE)


def _installed(text: str, names: Sequence[str]) -> str:
    known = set(map(_plain, names))
    for word in re.split(r"[\s'\"=:;|&<>()]+", text):
        found = re.search(r"(?:site|dist)-packages/([\w.-]+)", word)
        if found and _plain(found[1].partition("-")[0].removesuffix(".py")) in known:
            return word[:120]
    return ""


def _named(words: Sequence[str], names: Sequence[str]) -> str:
    """Return the argument of a fetching command that names the repository's package, or ""; paths are ignored, since
    they refer to the repository itself."""
    known = set(map(_plain, names))
    for word in words:
        found = re.match(r"[A-Za-z@][\w.@/-]*", word)
        if found and _plain(found[0].partition("@")[0]) in known:
            return found[0]
    return ""


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _published(trees: Trees, tree: str, files: Mapping[str, object]) -> Iterator[str]:
    for table in _tables(trees, tree, files):
        match table:
            case {"project": {"name": str(name)}} | {"tool": {"poetry": {"name": str(name)}}}:
                yield name


def _version(trees: Trees, tree: str) -> str:
    """Return the repository's own version, if pyproject.toml states it."""
    for table in _tables(trees, tree, trees.files(tree)):
        match table:
            case {"project": {"version": str(version)}}:
                return str(version)
    return ""


def _tables(trees: Trees, tree: str, files: Mapping[str, object]) -> Iterator[dict[str, object]]:
    if "pyproject.toml" in files:
        try:
            yield tomllib.loads(trees.read(tree, "pyproject.toml", 1_000_000).decode("utf-8", "replace"))
        except (ValueError, OSError, RecursionError):
            return


def _copy(name: str, version: str, origin: str, own: str) -> str:
    later = " later than the repository's," if own and version and _is_later(version, own) else ""
    folder = str(PurePosixPath(origin).parent)
    return (
        f"{name} {version}".strip() + f" is installed in {folder},{later} not from the repository: it may hold the fix."
    )


def _is_later(version: str, other: str) -> bool:
    from packaging.version import InvalidVersion, Version

    try:
        return Version(version) > Version(other)
    except InvalidVersion:
        return False
