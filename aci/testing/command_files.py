"""What a test command runs: the files behind it, and the command that reruns a part of its tests."""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from itertools import pairwise

from aci.observation.untrusted_text import one_line
from aci.testing.project_commands import nodes_by_folder, split_command

Look = Callable[[str], str]
"""Returns the text of a file of the repository; "" if there is none."""
MAKEFILES = ("GNUmakefile", "Makefile", "makefile")
SHOWN_NODES, MANY_OF_FILE = 20, 4
PYTHONPATH = re.compile(r"(?<![\w$])PYTHONPATH=([\"']?)")
WORD = re.compile(r"[^\s\"'`=:,;&|()<>]+")
ENTERED = re.compile(r"(?:\bcd|-C|--(?:directory|prefix|cwd))[\s=]+[\"']?([^\s\"';&|]+)")
MODULE = re.compile(r"-m\s*([\w.]+)")
RUNNERS = re.compile(
    r"(?:.*/)?(?:GNUmakefile|[Mm]akefile|.*\.mk|\.?[Jj]ustfile|package\.json|.*run[-_]?(?:all[-_]?)?tests?[^/]*)"
)
NPM = re.compile(r"\b(?:npm|yarn|pnpm)\b")
CALLED_SCRIPT = re.compile(r"\b(?:npm|yarn|pnpm)\s+(?:run\s+|run-script\s+)?([\w:.-]+)")
MAKE_TARGET = re.compile(r"\bmake\b(?:\s+-\S+)*(?:\s+([\w.-]+))?")
_FILE = r"([^\s;&|()<>\"'$-][^\s;&|()<>\"']*)"
INTERPRETED = re.compile(
    rf"(?<![\w./-])(?:(?:ba|da|z)?sh|node|ts-node|tsx|python[\d.]*|ruby|perl|php)\s+(?:-[\w-]+\s+)*{_FILE}"
    rf"|(?:^|[\s;&|(])(?=\./){_FILE}",
    re.MULTILINE,
)
DJANGO = re.compile(r"manage\.py\s+test|runtests\.py")
LABELLED = re.compile(r"[^;&|]*?(?:^|[\s/])(?P<file>(?:[\w./-]*/)?(?:manage\.py\s+test|runtests\.py))(?:\s+-\S+)*\s*")
"""Pattern of a command that starts a Django test runner without labels, so that labels can be appended."""
SELECTING = re.compile(
    r"(?:[\w./-]*/|npx\s+|bundle\s+exec\s+)?"
    r"(?:(?P<runner>go test|cargo test|phpunit|mvn)"
    r"(?:\s(?!--\s|--?run\b|-args\b|--doc\b|--filter\b|-Dtest\b)[^;&|#\s]+)*"
    r"|(?P<files>node\s+--test|jest|vitest\s+run|mocha|rspec)(?:\s+-[\w-]+(?:=\S+)?)*)\s*$"
)
"""Matches the command of a runner to which tests, or files of tests, can be appended."""
PYTEST = re.compile(r"^[^;&|#\n]*\bpy\.?test\b(?!\.)([^;&|#\n]*)$")


def entered_folders(command: str) -> list[str]:
    """Return the root of the repository (""), and the folders that a command enters."""
    folders = map(posixpath.normpath, ENTERED.findall(command))
    return list(dict.fromkeys(["", *("" if folder == "." else folder for folder in folders)]))


def prefix_folder(folder: str, command: str) -> str:
    return f"cd {shlex.quote(folder)} && {command}" if folder else command


def prepend_python_path(folder: str, command: str) -> str:
    """Return the command with `folder` first in any PYTHONPATH that it sets, so that the hooks there are still
    found."""
    return PYTHONPATH.sub(rf"PYTHONPATH=\1{folder}:", command)


def is_run_by(command: str, path: str) -> bool:
    """Whether a test command runs this file directly.

    A command runs each file that it names. A command other than pytest and unittest may also run an unnamed file, such
    as a Makefile.
    """
    folders = entered_folders(command)
    modules = [name.replace(".", "/") for name in MODULE.findall(command)]
    named = [*WORD.findall(command), *(name + end for name in modules for end in (".py", "/__main__.py"))]
    if any(posixpath.normpath(posixpath.join(folder, name)) == path for folder in folders for name in named):
        return True
    direct = not command or re.search(r"\b(?:py\.?test|unittest)\b", command)
    return not direct and bool(RUNNERS.fullmatch(path))


def script_files(command: str, look: Look) -> set[str]:
    """Return the files that an interpreter runs in the scripts of package.json or the Makefile recipes behind a
    command."""
    found = set()
    for folder in entered_folders(command):
        scripts = [scripts_behind(look(posixpath.join(folder, "package.json")))] if NPM.search(command) else []
        for target in MAKE_TARGET.findall(command):
            recipe = re.compile(rf"^{re.escape(target or 'all')}\s*:(?!=).*\n((?:\t.*\n?)*)", re.MULTILINE)
            scripts += [text for name in MAKEFILES for text in recipe.findall(look(posixpath.join(folder, name)))]
        files = (path for text in scripts for pair in INTERPRETED.findall(text) for path in pair if path)
        found |= {posixpath.normpath(posixpath.join(folder, path)) for path in files}
    return found


def scripts_behind(manifest: str, names: Sequence[str] = ("test",)) -> str:
    """Return scripts of a package.json, with the scripts before and after them and those that they call."""
    try:
        scripts = json.loads(manifest)["scripts"]
        waiting, found = [f"{when}{name}" for name in names for when in ("pre", "", "post")], {}
        while waiting:
            name = waiting.pop()
            if name not in found and isinstance(scripts.get(name), str):
                found[name] = scripts[name]
                waiting += CALLED_SCRIPT.findall(scripts[name])
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return ""
    return "\n".join(found.values())


def called_text(command: str, look: Look) -> str:
    """Return a command with the scripts of package.json that it calls."""
    if not NPM.search(command):
        return command
    names = CALLED_SCRIPT.findall(command)
    manifests = (look(posixpath.join(folder, "package.json")) for folder in entered_folders(command))
    return "\n".join([command, *(scripts_behind(manifest, names) for manifest in manifests)])


def command_for_nodes(command: str, nodes: Sequence[str]) -> str:
    """Return a shell command, to be shown to the user, that reruns `command` for `nodes` only."""
    more = f"  # and {len(nodes) - SHOWN_NODES} more" if len(nodes) > SHOWN_NODES else ""
    quoted = [shlex.quote(node) for node in nodes[:SHOWN_NODES]]
    if parts := {folder: own for folder, own in nodes_by_folder(command, nodes[:SHOWN_NODES]).items() if own}:
        commands = split_command(command)
        return "; ".join(f"({_rerun_in(folder, commands[folder], own)})" for folder, own in parts.items()) + more
    if PYTEST.search(command):
        files = named_files(command)
        words = [word for word in re.split(r"(?<=\s)", command) if word.strip() not in files]
        return f"{''.join(words).rstrip()} {' '.join(quoted)}{more}"
    if "-m unittest" in command:
        return f"{command} {' '.join(f'-k {node}' for node in quoted)}{more}"
    if is_django_command(command):
        return f"{command} {' '.join(quoted)}{more}"
    if not all(".py" in node for node in nodes):
        if selected := _other_languages_command(command, nodes[:SHOWN_NODES]):
            return selected + more
        return f"{command}  # {one_line(' '.join(quoted))}{more.replace('  #', '')}"
    return f"{command if 'pytest' in command else 'python3 -m pytest'} {' '.join(quoted)}{more}"


def _other_languages_command(command: str, nodes: Sequence[str]) -> str:
    """Return the command of a runner of another language with options for the nodes, or with their files; "" if it is
    not known how they are given."""
    runner = SELECTING.match(command)
    pairs = [(place, name) for place, _, name in (node.partition("::") for node in nodes)]
    names = list(dict.fromkeys(name for _, name in pairs if name))
    if not runner or (runner["runner"] and not all(name for _, name in pairs)):
        return ""
    if runner["runner"] == "go test":
        functions = dict.fromkeys(name.partition("/")[0] for name in names)
        return f"{command} -run {shlex.quote('^(' + '|'.join(functions) + ')$')}"
    if runner["runner"] == "cargo test":
        exact = [name for name in names if not name.startswith("doc ")]  # examples in documentation
        docs = [shlex.quote(node) for node in nodes if node.partition("::")[2].startswith("doc ")] if exact else []
        left_out = f"  # {one_line(' '.join(docs))}" if docs else ""
        return f"{command} -- --exact {shlex.join(exact)}{left_out}" if exact else f"{command} --doc"
    if runner["runner"] == "phpunit":
        return f"{command} --filter {shlex.quote('::(' + '|'.join(map(re.escape, names)) + ')$')}"
    if runner["runner"] == "mvn":
        tests = (f"{place.rpartition('.')[2]}#{re.split(r'[^0-9A-Za-z_$]', name)[0]}" for place, name in pairs)
        return f"{command} -Dtest={shlex.quote(','.join(dict.fromkeys(tests)))}"
    files = dict.fromkeys(place for place, _ in pairs)
    return f"{command} {shlex.join(files)}"


def is_django_command(command: str) -> bool:
    """Whether a command starts a Django test runner."""
    return bool(DJANGO.search(command))


def django_labels(command: str, nodes: Sequence[str]) -> str:
    """Return the tests as labels to append to a command of Django's runner, so that running one test does not set up
    all databases and modules; "" for other commands, or if a node cannot be written as a label."""
    match = LABELLED.fullmatch(command)
    if not match or not nodes:
        return ""
    folder = match["file"].split()[0].rpartition("/")[0]
    labels = [_label(node, folder) for node in nodes]
    return "" if "" in labels else " " + " ".join(dict.fromkeys(labels))


def _label(node: str, folder: str) -> str:
    """Return a node id as a dotted label relative to the runner's folder, or "" if it cannot be written as one."""
    path, _, rest = node.partition("::")
    if "/" in path or path.endswith(".py"):
        inside = path.removeprefix(f"{folder}/") if folder else path
        path = inside.removesuffix(".py").rstrip("/").replace("/", ".")
    label = ".".join(filter(None, (path, rest.replace("::", "."))))
    return label if re.fullmatch(r"\w+(?:\.\w+)*", label) else ""


def _rerun_in(folder: str, command: str, nodes: Sequence[str]) -> str:
    parts = [node.partition("::") for node in nodes]
    inside = [posixpath.relpath(path, folder) + colons + rest for path, colons, rest in parts]
    return f"cd {folder} && {command_for_nodes(command, inside)}"


def named_files(command: str) -> list[str]:
    """Return the files (or tests in them) that a plain pytest command names; none if it runs the whole suite."""
    if not (match := PYTEST.search(command)):
        return []
    words = match[1].split()
    return [
        word
        for before, word in pairwise(["", *words])
        if re.fullmatch(r"[\w./+-]+\.py(?:::[\w:]+)?", word)
        and not word.startswith("-")
        and not re.fullmatch(r"-[a-zA-Z]*[ckmpoWn]|--[\w-]+", before)
    ]


def group_nodes(nodes: Sequence[str], files: Collection[str]) -> list[str]:
    """Return the nodes, with four or more nodes in the same file replaced by that file if it is one of `files`."""
    many = Counter(node.partition("::")[0] for node in nodes)
    whole = {path for path, count in many.items() if count >= MANY_OF_FILE and path in files}
    paths = ((node, node.partition("::")[0]) for node in nodes)
    return list(dict.fromkeys(path if path in whole else node for node, path in paths))
