"""Files that tests need but the base lacks: version files, compiled extensions, generated modules, metadata and the
files of submodules.

They come from the user's checkout, or from the installed copy of the package; a version file is written if both lack
it. Only files that the tracked code imports or that the build back end declares count, and those that the user names.
Each file is judged by its name and content. Files with what looks like a secret are left out and named.

For version files that build back ends write, this module knows which ones a project declares, and what they contain.
"""

from __future__ import annotations

import os
import posixpath
import re
import shutil
import tarfile
import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

from aci.host.project_python import ProjectPython, normalized_name
from aci.repository.credentials import has_credential_format, has_credentials, is_credential_file, printable_text
from aci.repository.submodule_files import Submodules, find_submodules
from aci.repository.untracked_files import ignored_files, lines_with
from aci.repository.user_repository import Repository
from aci.runtime.workspace import WorkspaceOptions

NEWEST = "999.0.0"
"""Used if the version of a project is unknown. It satisfies each minimum, such as pytest's `minversion`."""
UNTAGGED = re.compile(r"0(\.0)*(\.?dev|\+|$)|0\.1\.dev")
"""A version that setuptools-scm makes up in a clone without tags."""
MOST_PROJECTS = 50
LONGEST_TEMPLATE = 10_000
_VERSION_FILE = """\
# Generated for a workspace of swe-agent.
__version__ = version = {version!r}
__version_tuple__ = version_tuple = {version_tuple!r}
__commit_id__ = commit_id = None
"""
_TEMPLATES = ("template", "version_file_template", "write_to_template", "write_template")
_NAME = re.compile(r"""(?m)(?:^|[\s(,])name\s*=\s*["']?([\w.-]+)""")
_SETUP_PY = re.compile(r"""["'](?:write_to|version_file)["']\s*:\s*["']([^"'\n]+)["']""")


def declared_version_files(source: Repository, tracked: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """Yield the version files that the build back ends of all projects in the repository write, with the template and
    the project's name or ""."""
    names = ("pyproject.toml", "hatch.toml", "setup.py")
    for path in sorted(path for path in tracked if posixpath.basename(path) in names)[:MOST_PROJECTS]:
        folder = posixpath.dirname(path)

        def read(name: str, folder: str = folder) -> str:
            return (source.file(posixpath.join(folder, name)) or b"").decode("utf-8", "replace")

        text = read(posixpath.basename(path))
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
                yield full, template, _project_name(read)


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


def _project_name(read: Callable[[str], str]) -> str:
    """Return the name of a project in its pyproject.toml, setup.cfg or setup.py; "" if they do not name it."""
    with suppress(tomllib.TOMLDecodeError, RecursionError):
        if name := _table(tomllib.loads(read("pyproject.toml")), "project").get("name"):
            return str(name)
    for file in ("setup.cfg", "setup.py"):
        if named := _NAME.search(read(file)):
            return named[1]
    return ""


def _table(table: Mapping[str, Any], *names: str) -> dict[str, Any]:
    for name in names:
        inner = table.get(name)
        if not isinstance(inner, dict):
            return {}
        table = inner
    return dict(table)


def version_file(path: str, template: str, version: str) -> bytes:
    """Return the content of a version file as setuptools-scm writes it."""
    parts = tuple(int(part) if re.fullmatch(r"\d{1,9}", part) else part for part in re.split(r"[.+]", version))
    values = {"version": version, "version!r": repr(version), "version_tuple": repr(parts), "scm_version": version}
    fields = set(re.findall(r"\{([^{}]*)\}", template))
    if template and len(template) <= LONGEST_TEMPLATE and fields <= values.keys():
        return re.sub(r"\{([^{}]*)\}", lambda match: values[match[1]], template).encode()
    if not path.endswith((".py", ".pyi")):
        return version.encode()
    return _VERSION_FILE.format(version=version, version_tuple=parts).encode()


def installed_file(python: ProjectPython | None, path: str) -> Path | None:
    """Return the copy of a file that is installed in the environment. Links out of the environment do not count."""
    if python is None:
        return None
    names = (path.removeprefix("src/"), path.removeprefix("lib/"), path)
    for packages in python.prefix.glob("lib/python3*/site-packages"):
        for found in (packages / name for name in names):
            if found.is_file() and found.resolve() == python.prefix.resolve() / found.relative_to(python.prefix):
                return found
    return None


def installed_version(python: ProjectPython | None, project: str) -> str:
    """Return the version of the project that is installed in the environment; "" if it is not, or was installed from a
    clone without tags."""
    wanted = normalized_name(project)
    for packages in python.prefix.glob("lib/python3*/site-packages") if python and wanted else ():
        for folder in sorted(packages.glob("*-*.dist-info")):
            name, _, version = folder.name.removesuffix(".dist-info").rpartition("-")
            if normalized_name(name) == wanted and not UNTAGGED.match(version):
                return version
    return ""


MOST_MODULE_BYTES = 5_000_000
MOST_BYTES = 500_000_000
COMPILED = (".so", ".pyd", ".dylib")
METADATA = ".egg-info"
_METADATA_FOLDERS = (".", "licenses")
_METADATA = frozenset(
    {
        *("PKG-INFO", "SOURCES.txt", "entry_points.txt", "requires.txt", "top_level.txt", "dependency_links.txt"),
        *("namespace_packages.txt", "not-zip-safe", "zip-safe"),
    }
)
"""Metadata that a build back end makes from tracked files: examples in a README or names of commands are no secrets."""
ADVICE = "To copy one that the tests need, add its path to the setting copy_files."
"""How to allow a file that was refused."""
_SHARED = (".bin", ".pnpm")
_VERSION_NAME = re.compile(r"\w[\w.-]*\.(?:py|pyi|txt|h|hpp)|VERSION\w*")
SECRET_NAME = re.compile(
    r"(?i)secret|credential|passw|token(?!i[sz])|private|(?:^|_)keys?(?:_|\.)|local_?settings|settings_?local"
)
"""Names of modules and texts that usually hold secrets. Their content alone does not show this: no name in
`users = {"admin": "..."}` says that the value is a password."""
_IMPORT = r"^\s*(?:from\s+[\w.]*\b{0}\b|(?:from\s+[\w.]+\s+)?import\s.*\b{0}\b|{0},?\s*(?:#.*)?$)"


@dataclass(slots=True)
class GeneratedFiles:
    """Files for a clone: `copied` are files of this machine and `written` contents, both by their paths in the clone;
    `packages` are folders `node_modules`, whose entries are linked. `refused` look like secrets. `submodules` are those
    of the base, and of other submodules."""

    copied: dict[str, Path] = field(default_factory=dict)
    written: dict[str, bytes] = field(default_factory=dict)
    packages: dict[str, Path] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    submodules: Submodules = field(default_factory=Submodules)

    @property
    def ignored(self) -> list[str]:
        """The paths in a clone that git ignores: those of the files, and the whole folders of metadata and
        submodules."""
        return list(dict.fromkeys(map(_shown, (*self.copied, *self.written, *self.packages, *self._of_submodules()))))

    def save(self, folder: Path, packages_in: str = "") -> None:
        """Copy the files to a folder, from which each clone is filled, since the checkout may change. Links lead to the
        original packages, or to those that a sandbox shows in `packages_in`."""
        for name, source in self.copied.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / name, follow_symlinks=False)
        for name, content in self.written.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        for name, source in self.packages.items():
            _link_packages(source, folder / name, Path(packages_in, name) if packages_in else source)

    def save_submodules(self, folder: Path, saved: Path) -> None:
        """Write the files of submodules to a folder, with the saved files that are in submodules. Raises
        WorkspaceError."""
        self.submodules.write(folder)
        folders = tuple(f"{path}/" for path in self._of_submodules())
        self._put([name for name in self.copied if name.startswith(folders)], saved, folder)

    def put(self, saved: Path, clone: Path) -> None:
        """Put the saved files into a clone, where it has no others."""
        self._put([*self.copied, *self.written, *self.packages], saved, clone)

    def _put(self, names: Sequence[str], saved: Path, clone: Path) -> None:
        for name in names:
            if _make_room(clone, name):
                if (saved / name).is_dir():
                    shutil.copytree(saved / name, clone / name, symlinks=True)
                else:
                    shutil.copy2(saved / name, clone / name, follow_symlinks=False)

    def package_caches(self) -> list[str]:
        """Return the folders of the packages to which tools write, such as `node_modules/.cache`."""
        return [
            f"{name}/{entry.name}"
            for name, source in self.packages.items()
            for entry in source.iterdir()
            if _is_cache(entry) and not entry.is_symlink()
        ]

    def describe(self) -> str:
        """Return short sentences about the files, which name a few of each kind; "" if there are none."""
        parts = {what: list(dict.fromkeys(map(_shown, names))) for what, names in self._kinds().items()}
        said = " ".join(f"{what}: {_listed(names)}." for what, names in parts.items() if names)
        return f"{said} {ADVICE}" if self.refused else said

    def describe_all(self) -> str:
        """Return sentences that name all of the files; "" if there are none."""
        return " ".join(f"{what}: {', '.join(names)}." for what, names in self._kinds().items() if names)

    def values(self) -> dict[str, Any]:
        """Return the paths of the files by what is done with them, for the journal."""
        return {
            "digest": [self._digest()],
            "copied": list(self.copied),
            "linked": list(self.packages),
            "written": list(self.written),
            "refused": list(self.refused),
            "submodules": self._of_submodules(),
            "submodules_changed": self._changed_submodules(),
            "submodules_refused": list(self.submodules.refused),
        }

    def _digest(self) -> str:
        """Return a digest of the files' contents; "" if there are folders of packages, which may change."""
        if self.packages:
            return ""
        made = sha256()
        for name, source in sorted(self.copied.items()):
            made.update(f"{name}\0{source.stat().st_size}\0".encode() + source.read_bytes())
        for name, text in sorted(self.written.items()):
            made.update(f"{name}\0{len(text)}\0".encode() + text)
        return made.hexdigest()

    def _of_submodules(self) -> list[str]:
        return [each.path for each in self.submodules.present]

    def _changed_submodules(self) -> list[str]:
        return [each.path for each in self.submodules.present if each.is_changed]

    def _kinds(self) -> dict[str, Sequence[str]]:
        return {
            "With the files of submodules": self._of_submodules(),
            "Changed in the checkout, but used as the commits of the base have them": self._changed_submodules(),
            "Submodules without files": [
                f"{path} ({error.message} {error.fix.removesuffix('.')})"
                for path, error in self.submodules.refused.items()
            ],
            "Not in git, but used from the checkout or the environment": [*self.copied, *self.packages],
            f"Written with the project's version ({NEWEST} if unknown)": [*self.written],
            "Not copied, because they look like secrets": self.refused,
        }


def find_generated_files(options: WorkspaceOptions, python: ProjectPython | None) -> GeneratedFiles:
    """Return the files that a clone of the user's repository needs."""
    source = options.repository
    tracked = options.trees.files(options.base.tree)
    found = GeneratedFiles(submodules=find_submodules(source, tracked))
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
        path: (template, project)
        for path, template, project in declared_version_files(source, tracked)
        if path not in tracked
        and path.isprintable()
        and posixpath.dirname(path) in folders
        and _VERSION_NAME.fullmatch(posixpath.basename(path))
    }
    modules = [path for path in files if path.endswith((".py", ".pyi")) and path not in declared]
    imported = _imported(source, {_stem(path) for path in modules})
    wanted = [path for path in modules if _stem(path) in imported]
    wanted += [path for path in files if path.endswith(COMPILED) or path in declared]
    for path in files:
        if path.endswith(f"{METADATA}/"):
            wanted += _metadata_files(source.root, path)
    named = {path for path in options.copy_files if path not in tracked and _is_file_of(source, path)}
    for path in sorted({*wanted, *named}):
        _add(found, source.root / path, path, is_named=path in named)
    for path, (template, project) in declared.items():
        if path not in found.copied and path not in found.refused:
            if installed := installed_file(python, path):
                _add(found, installed, path)
            if path not in found.copied:
                version = source.release(options.base.commit) or installed_version(python, project) or NEWEST
                found.written[path] = version_file(path, template, version)
    return found


def _add(found: GeneratedFiles, file: Path, path: str, is_named: bool = False) -> None:
    """Add a file if it is no link and not too large, and looks like no secret or is named by the user."""
    if file.is_symlink() or not file.is_file():
        return
    if not path.endswith(COMPILED) and file.stat().st_size > MOST_MODULE_BYTES:
        return
    if not is_named and _looks_like_secret(file, path):
        found.refused.append(path)
        return
    total = sum(each.stat().st_size for each in found.copied.values())
    if total + file.stat().st_size <= MOST_BYTES:
        found.copied[path] = file


def _looks_like_secret(file: Path, path: str) -> bool:
    name = posixpath.basename(path)
    if is_credential_file(path):
        return True
    if path.endswith(COMPILED):
        return has_credential_format(printable_text(file.read_bytes()))
    text = file.read_text("utf-8", "replace")
    if name in _METADATA or posixpath.dirname(path).endswith(f"{METADATA}/licenses"):
        return has_credential_format(text)
    return bool(SECRET_NAME.search(name)) or has_credentials(path, text)


def _metadata_files(root: Path, folder: str) -> Iterator[str]:
    """Yield the regular files of a folder of metadata."""
    for part in _METADATA_FOLDERS:
        place = root / folder / part
        if place.is_dir() and not place.is_symlink():
            files = (each for each in place.iterdir() if each.name.isprintable())
            yield from (posixpath.normpath(f"{folder}{part}/{each.name}") for each in files if each.is_file())


def _is_file_of(source: Repository, path: str) -> bool:
    """Return whether a path leads to a file of the working tree, and not through a link."""
    if source.bare or PurePosixPath(path).parts[:1] == (".git",):
        return False
    return (source.root / path).is_file() and (source.root / path).resolve() == source.root.resolve() / path


def _imported(source: Repository, stems: set[str]) -> set[str]:
    """Return those names that an import in a tracked Python file mentions."""
    lines = lines_with(source.root, sorted(stems))
    return {stem for stem in stems if re.search(_IMPORT.format(re.escape(stem)), lines, re.MULTILINE)}


def _stem(path: str) -> str:
    return posixpath.basename(path).partition(".")[0]


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
            if _make_room(clone, str(path)) and (content := found.extractfile(member)):
                with (clone / path).open("xb") as file:
                    shutil.copyfileobj(content, file)
                (clone / path).chmod(0o600 | member.mode & 0o111)


def _make_room(clone: Path, name: str) -> bool:
    """Create the folders above a path in a clone. Return whether there is nothing at the path, and all its parents are
    folders and no links: the base may have other files than the checkout."""
    for parent in reversed(Path(name).parents[:-1]):
        folder = clone / parent
        if not os.path.lexists(folder):
            folder.mkdir()
        if folder.is_symlink() or not folder.is_dir():
            return False
    return not os.path.lexists(clone / name)


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


def _shown(path: str) -> str:
    """Return a path, or that of its folder of metadata."""
    folder, is_metadata, _ = path.partition(f"{METADATA}/")
    return f"{folder}{METADATA}" if is_metadata else path


def _listed(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
