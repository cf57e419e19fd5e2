"""Files that tests need but git ignores: version files, compiled extensions, generated modules and metadata.

They come from the user's checkout, or from the installed copy of the package; a version file is written if both lack
it. Only files that the tracked code imports or that the build back end declares count. Files that look like secrets are
left out and named.
"""

from __future__ import annotations

import os
import posixpath
import re
import shutil
import tarfile
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from aci.host.project_python import ProjectPython
from aci.observation.output_text import mask_secrets
from aci.repository.untracked_files import ignored_files, lines_with
from aci.repository.user_repository import Repository
from aci.runtime.workspace import WorkspaceOptions

MOST_PROJECTS = 50
MOST_MODULE_BYTES = 5_000_000
MOST_BYTES = 500_000_000
LONGEST_TEMPLATE = 10_000
COMPILED = (".so", ".pyd", ".dylib")
_SHARED = (".bin", ".pnpm")
_VERSION_NAME = re.compile(r"\w[\w.-]*\.(?:py|pyi|txt|h|hpp)|VERSION\w*")
SECRET_NAME = re.compile(
    r"(?i)secret|credential|passw|token|private|(?:^|_)keys?(?:_|\.)|local_?settings|settings_?local"
)
_VERSION_FILE = """\
# Generated for a workspace of swe-agent.
__version__ = version = {version!r}
__version_tuple__ = version_tuple = {version_tuple!r}
__commit_id__ = commit_id = None
"""
_TEMPLATES = ("template", "version_file_template", "write_to_template", "write_template")
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

    def save(self, folder: Path, packages_in: str = "") -> None:
        """Copy the files to a folder, from which each clone is filled, since the checkout may change. Links lead to the
        original packages, or to those that a sandbox shows in `packages_in`."""
        for name, source in self.copied.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, folder / name, symlinks=True, ignore=_links)
            else:
                shutil.copy2(source, folder / name, follow_symlinks=False)
        for name, content in self.written.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        for name, source in self.packages.items():
            _link_packages(source, folder / name, Path(packages_in, name) if packages_in else source)

    def put(self, saved: Path, clone: Path) -> None:
        """Put the saved files into a clone, where it has no others."""
        for name in (*self.copied, *self.written, *self.packages):
            if _is_free(clone, name):
                if (saved / name).is_dir():
                    shutil.copytree(saved / name, clone / name, symlinks=True)
                else:
                    shutil.copy2(saved / name, clone / name)

    def package_caches(self) -> list[str]:
        """Return the folders of the packages to which tools write, such as `node_modules/.cache`."""
        return [
            f"{name}/{entry.name}"
            for name, source in self.packages.items()
            for entry in source.iterdir()
            if _is_cache(entry) and not entry.is_symlink()
        ]

    def describe(self) -> str:
        """Return a sentence about the files; "" if there are none."""
        parts = {
            "Not in git, but used from the checkout or the environment": [*self.copied, *self.packages],
            "Written with the version of the last tag": list(self.written),
            "Not copied, because they look like secrets": self.refused,
        }
        return " ".join(f"{what}: {_listed(names)}." for what, names in parts.items() if names)


def find_generated_files(options: WorkspaceOptions, python: ProjectPython | None) -> GeneratedFiles:
    """Return the files that a clone of the user's repository needs."""
    source, found = options.repository, GeneratedFiles()
    tracked = options.trees.files(options.base.tree)
    folders = _real_folders(tracked, source.root)
    files = []
    for path in ignored_files(source.root) if not (source.bare or source.plain) else ():
        name = path.rstrip("/")
        if posixpath.dirname(name) not in folders or (source.root / name).is_symlink() or not name.isprintable():
            continue
        if path.endswith("/") and posixpath.basename(name) == "node_modules":
            found.packages[name] = source.root / name
        elif not _is_in_environment(source.root, name):
            files.append(path)
    declared = {
        path: template
        for path, template in _declared(source, tracked)
        if path not in tracked
        and path.isprintable()
        and posixpath.dirname(path) in folders
        and _VERSION_NAME.fullmatch(posixpath.basename(path))
    }
    modules = [path for path in files if path.endswith((".py", ".pyi")) and path not in declared]
    imported = _imported(source, {_stem(path) for path in modules})
    wanted = [path for path in modules if _stem(path) in imported]
    wanted += [path for path in files if path.endswith((*COMPILED, ".egg-info/"))]
    wanted += [path for path in files if path in declared]
    for path in sorted(wanted):
        _add(found, source.root, path)
    for path, template in declared.items():
        if path not in found.copied and path not in found.refused:
            installed = _installed(python, path)
            if installed:
                found.copied[path] = installed
            else:
                found.written[path] = _version_file(path, template, source.release(options.base.commit) or "0.0.0")
    return found


def _add(found: GeneratedFiles, root: Path, path: str) -> None:
    file = root / path
    if file.is_symlink() or not (file.is_dir() or file.is_file()):
        return
    if file.is_file() and not path.endswith(COMPILED):
        if file.stat().st_size > MOST_MODULE_BYTES:
            return
        text = file.read_text("utf-8", "replace")
        if SECRET_NAME.search(file.name) or mask_secrets(text) != text:
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
            try:
                found = _version_files(tomllib.loads(text))
            except (tomllib.TOMLDecodeError, RecursionError):
                continue
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


def _table(table: Mapping[str, Any], *names: str) -> dict[str, Any]:
    for name in names:
        inner = table.get(name)
        if not isinstance(inner, dict):
            return {}
        table = inner
    return dict(table)


def _version_file(path: str, template: str, version: str) -> bytes:
    """Return the content of a version file as setuptools-scm writes it."""
    parts = tuple(int(part) if re.fullmatch(r"\d{1,9}", part) else part for part in re.split(r"[.+]", version))
    values = {"version": version, "version!r": repr(version), "version_tuple": repr(parts), "scm_version": version}
    fields = set(re.findall(r"\{([^{}]*)\}", template))
    if template and len(template) <= LONGEST_TEMPLATE and fields <= values.keys():
        return re.sub(r"\{([^{}]*)\}", lambda match: values[match[1]], template).encode()
    if not path.endswith((".py", ".pyi")):
        return version.encode()
    return _VERSION_FILE.format(version=version, version_tuple=parts).encode()


def _imported(source: Repository, stems: set[str]) -> set[str]:
    """Return those names that an import in a tracked Python file mentions."""
    lines = lines_with(source.root, sorted(stems))
    return {stem for stem in stems if re.search(_IMPORT.format(re.escape(stem)), lines, re.MULTILINE)}


def _stem(path: str) -> str:
    return posixpath.basename(path).partition(".")[0]


def _installed(python: ProjectPython | None, path: str) -> Path | None:
    """Return the copy of a file that is installed in the environment. Links out of the environment do not count."""
    if python is None:
        return None
    names = (path.removeprefix("src/"), path.removeprefix("lib/"), path)
    for packages in python.prefix.glob("lib/python3*/site-packages"):
        for found in (packages / name for name in names):
            if found.is_file() and found.resolve() == python.prefix.resolve() / found.relative_to(python.prefix):
                return found
    return None


def _real_folders(tracked: Iterable[str], root: Path) -> set[str]:
    """Return the folders with tracked files in or below them, without those that are links in the checkout or below
    one."""
    folders = {str(parent) for path in tracked for parent in PurePosixPath(path).parents}
    found = {"" if folder == "." else folder for folder in folders}
    return {each for each in found if not any((root / part).is_symlink() for part in (Path(each), *Path(each).parents))}


def unpack_generated(archive: Path, clone: Path) -> None:
    """Unpack the files that set-up has generated in a clone, where it has no others. The archive is untrusted: only
    regular files are unpacked, and nothing through a link. Raises OSError or tarfile.TarError."""
    left = MOST_BYTES
    with tarfile.open(archive, "r:") as found:
        for member in found:
            path = PurePosixPath(posixpath.normpath(member.name))
            left -= member.size
            if not member.isreg() or path.is_absolute() or {"..", ".git"} & set(path.parts) or left < 0:
                continue
            for folder in reversed(path.parents[:-1]):
                if not os.path.lexists(clone / folder):
                    (clone / folder).mkdir()
                elif (clone / folder).is_symlink():
                    break
            if _is_free(clone, str(path)) and (content := found.extractfile(member)):
                with (clone / path).open("xb") as file:
                    shutil.copyfileobj(content, file)
                (clone / path).chmod(0o600 | member.mode & 0o111)


def _is_free(clone: Path, name: str) -> bool:
    """Return whether there is nothing at a path in a clone, and all its parents are folders and no links. The base may
    have other files than the checkout."""
    parents = [clone / parent for parent in Path(name).parents]
    return not os.path.lexists(clone / name) and all(each.is_dir() and not each.is_symlink() for each in parents)


def _links(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if Path(folder, name).is_symlink()]


def _is_in_environment(root: Path, path: str) -> bool:
    parents = [root / parent for parent in Path(path).parents]
    return any((parent / "pyvenv.cfg").is_file() for parent in parents if parent != root)


def _is_cache(entry: Path) -> bool:
    """Return whether an entry of a folder of packages is a folder to which tools write."""
    return entry.name.startswith(".") and entry.is_dir() and entry.name not in _SHARED


def _link_packages(source: Path, target: Path, shown: Path) -> None:
    """Fill a folder with links to the entries of a folder of packages, which is found as `shown` in the workspace.

    Links to packages of the repository itself keep their text, so that they lead to those of the clone.
    """
    target.mkdir(parents=True, exist_ok=True)
    for entry in sorted(source.iterdir()):
        if _is_cache(entry):
            continue
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
