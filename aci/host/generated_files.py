"""Files that tests need but git ignores: version files, compiled extensions, generated modules and metadata.

They come from the user's checkout, or from the installed copy of the package; a version file is written if both lack
it. Only files that the tracked code imports or that the build back end declares count, and files that look like
secrets only if the user agrees.
"""

from __future__ import annotations

import posixpath
import re
import shutil
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aci.host.project_python import ProjectPython
from aci.observation.output_text import mask_secrets
from aci.repository.untracked_files import ignored_files, lines_with
from aci.repository.user_repository import Repository
from aci.runtime.workspace import WorkspaceOptions
from trajectories.git_store.tree_listing import Entry

MOST_PROJECTS = 50
MOST_MODULE_BYTES = 5_000_000
MOST_BYTES = 500_000_000
COMPILED = (".so", ".pyd", ".dylib")
_VERSION_NAME = re.compile(r"\w[\w.-]*\.(?:py|pyi|txt|json|h|hpp)|VERSION\w*")
SECRET_NAME = re.compile(
    r"(?i)secret|credential|passw|token|private|(?:^|_)keys?(?:_|\.)|local_?settings|settings_?local"
)
_VERSION_FILE = """\
# Generated for a workspace of swe-agent.
__version__ = version = {version!r}
__version_tuple__ = version_tuple = {version_tuple!r}
__commit_id__ = commit_id = None
"""
_SETUP_PY = re.compile(r"""["'](?:write_to|version_file)["']\s*:\s*["']([^"'\n]+)["']""")
_IMPORT = r"^\s*(?:from\s+[\w.]*\b{0}\b|(?:from\s+[\w.]+\s+)?import\s.*\b{0}\b|{0},?\s*(?:#.*)?$)"


@dataclass(slots=True)
class GeneratedFiles:
    """Files for a clone: `copied` are files of this machine and `written` contents, both by their paths in the clone;
    `packages` are folders `node_modules`, whose entries are linked. `refused` look like secrets."""

    copied: dict[str, Path] = field(default_factory=dict)
    written: dict[str, bytes] = field(default_factory=dict)
    packages: dict[str, Path] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    def put(self, clone: Path, packages_in: str = "") -> None:
        """Put the files into a clone. Links lead to the original packages, or to copies of them in `packages_in`, a
        folder that exists only in the workspace."""
        for name, source in self.copied.items():
            if source.is_dir():
                shutil.copytree(source, clone / name, symlinks=True, ignore=_links)
            else:
                shutil.copy2(source, clone / name, follow_symlinks=False)
        for name, content in self.written.items():
            with (clone / name).open("xb") as file:
                file.write(content)
        for name, source in self.packages.items():
            _link_packages(source, clone / name, Path(packages_in, name) if packages_in else source)

    def describe(self) -> str:
        """Return a sentence about the files; "" if there are none."""
        parts = {
            "Not in git, but used from the checkout or the environment": [*self.copied, *self.packages],
            "Written with the version of the last tag": list(self.written),
            "Not copied, because they look like secrets": self.refused,
        }
        return " ".join(f"{what}: {_listed(names)}." for what, names in parts.items() if names)


def find_generated_files(
    options: WorkspaceOptions, python: ProjectPython | None, may_copy: Callable[[str], bool] = lambda path: False
) -> GeneratedFiles:
    """Return the files that a clone of the user's repository needs. `may_copy` asks the user about a file that looks
    like a secret."""
    source, found = options.repository, GeneratedFiles()
    tracked = options.trees.files(options.base.tree)
    folders = _real_folders(tracked, source.root)
    files = []
    for path in ignored_files(source.root) if not (source.bare or source.plain) else ():
        name = path.rstrip("/")
        if posixpath.dirname(name) not in folders or (source.root / name).is_symlink():
            continue
        if path.endswith("/") and posixpath.basename(name) == "node_modules":
            found.packages[name] = source.root / name
        elif not _is_in_environment(source.root, name):
            files.append(path)
    declared = {
        path: template
        for path, template in _declared(source, tracked)
        if path not in tracked
        and posixpath.dirname(path) in folders
        and _VERSION_NAME.fullmatch(posixpath.basename(path))
    }
    modules = [path for path in files if path.endswith((".py", ".pyi")) and path not in declared]
    imported = _imported(source, {_stem(path) for path in modules})
    wanted = [path for path in modules if _stem(path) in imported]
    wanted += [path for path in files if path.endswith((*COMPILED, ".egg-info/"))]
    wanted += [path for path in files if path in declared]
    for path in sorted(wanted):
        _add(found, source.root, path, may_copy)
    for path, template in declared.items():
        if path not in found.copied and path not in found.refused:
            installed = _installed(python, path)
            if installed:
                found.copied[path] = installed
            else:
                found.written[path] = _version_file(template, source.release(options.base.commit) or "0.0.0")
    return found


def _add(found: GeneratedFiles, root: Path, path: str, may_copy: Callable[[str], bool]) -> None:
    file = root / path
    if file.is_symlink() or not (file.is_dir() or file.is_file()):
        return
    if file.is_file() and not path.endswith(COMPILED):
        if file.stat().st_size > MOST_MODULE_BYTES:
            return
        text = file.read_text("utf-8", "replace")
        if (SECRET_NAME.search(file.name) or mask_secrets(text) != text) and not may_copy(path):
            found.refused.append(path)
            return
    total = sum(each.stat().st_size for each in found.copied.values() if each.is_file())
    if file.is_dir() or total + file.stat().st_size <= MOST_BYTES:
        found.copied[path.rstrip("/")] = file


def _declared(source: Repository, tracked: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield the version files that the build back ends of all projects in the repository write, with the template."""
    names = ("pyproject.toml", "hatch.toml", "setup.py")
    for path in sorted(path for path in tracked if posixpath.basename(path) in names)[:MOST_PROJECTS]:
        folder, text = posixpath.dirname(path), (source.file(path) or b"").decode("utf-8", "replace")
        if path.endswith("setup.py"):
            found: Iterator[tuple[str, str]] = ((name, "") for name in _SETUP_PY.findall(text))
        else:
            with suppress(tomllib.TOMLDecodeError, RecursionError):
                found = _version_files(tomllib.loads(text))
        for name, template in found:
            full = posixpath.normpath(posixpath.join(folder, name))
            if not full.startswith(("../", "/")):
                yield full, template


def _version_files(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the version files that a pyproject.toml or hatch.toml declares, with their templates."""
    hatch = _table(settings, "tool", "hatch") or settings
    tables = [_table(hatch, "build", "hooks", "vcs"), _table(settings, "tool", "setuptools_scm")]
    tables += [_table(settings, "tool", "pdm", "version"), _table(settings, "tool", "versioningit", "write")]
    targets = _table(hatch, "build", "targets")
    tables += [_table(target, "hooks", "vcs") for target in targets.values() if isinstance(target, dict)]
    for table in tables:
        for key in ("version-file", "version_file", "write_to", "file"):
            if isinstance(name := table.get(key), str):
                template = next((table[each] for each in _TEMPLATES if isinstance(table.get(each), str)), "")
                yield name, template


_TEMPLATES = ("template", "version_file_template", "write_to_template", "write_template")


def _table(table: Mapping[str, Any], *names: str) -> dict[str, Any]:
    for name in names:
        inner = table.get(name)
        if not isinstance(inner, dict):
            return {}
        table = inner
    return dict(table)


def _version_file(template: str, version: str) -> bytes:
    """Return the content of a version file as setuptools-scm writes it."""
    parts = tuple(int(part) if part.isdigit() else part for part in re.split(r"[.+]", version))
    values = {"version": version, "version_tuple": repr(parts), "scm_version": version}
    if template and set(re.findall(r"\{(\w*)[^}]*\}", template)) <= values.keys():
        return re.sub(
            r"\{(\w+)\}", lambda match: values[match[1]], template.replace("{version!r}", repr(version))
        ).encode()
    return _VERSION_FILE.format(version=version, version_tuple=parts).encode()


def _imported(source: Repository, stems: set[str]) -> set[str]:
    """Return those names that an import in a tracked Python file mentions."""
    lines = lines_with(source.root, sorted(stems))
    return {stem for stem in stems if re.search(_IMPORT.format(re.escape(stem)), lines, re.MULTILINE)}


def _stem(path: str) -> str:
    return posixpath.basename(path).partition(".")[0]


def _installed(python: ProjectPython | None, path: str) -> Path | None:
    """Return the copy of a file that is installed in the environment."""
    for packages in python.prefix.glob("lib/python3*/site-packages") if python else ():
        for name in (path.removeprefix("src/"), path.removeprefix("lib/"), path):
            if (packages / name).is_file():
                found = packages / name
                return found if found.resolve() == packages.resolve() / name and not found.is_symlink() else None
    return None


def _real_folders(tracked: Mapping[str, Entry], root: Path) -> set[str]:
    """Return the folders with tracked files, without those that are links in the checkout or below one."""
    return {
        folder
        for folder in {posixpath.dirname(path) for path in tracked}
        if not any((root / parent).is_symlink() for parent in (folder, *map(str, Path(folder).parents)))
    }


def _links(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if Path(folder, name).is_symlink()]


def _is_in_environment(root: Path, path: str) -> bool:
    parents = [root / parent for parent in Path(path).parents]
    return any((parent / "pyvenv.cfg").is_file() for parent in parents if parent != root)


def _link_packages(source: Path, target: Path, shown: Path) -> None:
    """Fill a folder with links to the entries of a folder of packages, which is found as `shown` in the workspace.

    Links to packages of the repository itself keep their text, so that they lead to those of the clone.
    """
    target.mkdir(parents=True, exist_ok=True)
    for entry in sorted(source.iterdir()):
        link = target / entry.name
        text = entry.readlink() if entry.is_symlink() else None
        if text is not None and not entry.resolve().is_relative_to(source.resolve()):
            link.symlink_to(text)
        elif entry.name.startswith("@") and entry.is_dir() and not entry.is_symlink():
            _link_packages(entry, link, shown / entry.name)
        else:
            link.symlink_to(shown / entry.name)


def _listed(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
