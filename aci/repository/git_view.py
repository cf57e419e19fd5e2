"""A git directory of this program, through which git reads the user's repository.

git sees the objects, refs, reflogs and index of the repository, but not its configuration, hooks or other files that
can name programs to start and files to read. Settings without which the files would be read differently are copied
by value, if they are on a list.

It checks what a repository needs beyond its own objects: objects of other folders, and filters that are programs.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from threading import Lock

from aci.repository.config_files import (
    MOST_CONFIG,
    OUTSIDE,
    ConfigFiles,
    ConfigReader,
    Pairs,
    Setting,
    Settings,
    parse_settings,
    place_of,
    signature,
)
from aci.repository.repository_search import find_repository
from trajectories.errors import NoRepository, UsageError
from trajectories.file_limits import read_limited
from trajectories.git_store.git_commands import (
    QUIET,
    GitFailed,
    decode,
    environment,
    git,
    git_environ,
)
from trajectories.temporary_folders import process_folder

CARRIED = re.compile(
    r"core\.(?:autocrlf|eol|safecrlf|filemode|symlinks|ignorecase|precomposeunicode|checkstat|trustctime|"
    r"sparsecheckout|sparsecheckoutcone|logallrefupdates)|index\.sparse|"
    r"extensions\.(?:objectformat|refstorage|partialclone)|"
    r"remote\..+\.(?:url|pushurl|fetch|promisor|partialclonefilter)|branch\..+\.(?:remote|merge)|"
    r"url\..+\.(?:insteadof|pushinsteadof)|user\.(?:name|email)"
)
"""Settings of the repository that git still sees: how files on disk compare with those in git, the format of the
repository, remotes and upstream branches, and the author. None names a program or a file; servers are not contacted,
since no protocol is allowed."""
EXTENSIONS = frozenset({"objectformat", "refstorage", "partialclone", "worktreeconfig", "noop", "preciousobjects"})
"""Extensions of the repository format with which the repository is read as it is."""
PSEUDO_REFS = ("ORIG_HEAD", "FETCH_HEAD", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD")
"""Files of a git directory beside HEAD that hold the ids of commits."""
MOST_PATTERNS = 10 << 20
"""Maximum number of bytes of files with patterns."""
USERS = ("GIT_CONFIG", "GIT_AUTHOR_", "GIT_COMMITTER_")
"""Beginnings of the names of variables that are the user's settings of git."""
NUMBER = re.compile(r"[-+]?(?:0x[0-9a-f]+|[0-9]+)[kmg]?", re.IGNORECASE)
"""A number in git's configuration."""


class GitView:
    """The view of one repository. `git_dir` is the repository's own git directory (of a linked worktree: that of the
    worktree), `root` its working tree or None for a bare one."""

    def __init__(self, git_dir: Path, root: Path | None) -> None:
        self.git_dir, self.root = git_dir, root
        self.common = common_folder(git_dir)
        self._lock = Lock()
        self._known: ConfigFiles = {}
        self._pairs: Pairs = []

    @property
    def settings(self) -> Settings:
        """The repository's own settings, as values: those of its `config` file and of the files that it includes
        unconditionally. Names are in lower case except for the subsection; of several values, this is the last one.
        Raises UsageError if a file cannot be read."""
        self._update()
        return dict(self._pairs)

    def is_set(self, name: str, default: bool = False) -> bool:
        """Whether a setting of the repository is true. Raises UsageError if it is not a boolean."""
        return _is_true(name, self.settings.get(name), default)

    def environment(self, own: Mapping[str, str]) -> dict[str, str]:
        """Return the environment for a git command that reads the repository, with the variables `own` added.

        Raises UsageError if the repository cannot be read without its configuration.
        """
        self._update()
        where = {"GIT_DIR": str(self._folder), "GIT_INDEX_FILE": str(self.git_dir / "index")}
        if self.root:
            where["GIT_WORK_TREE"] = str(self.root)
        return environment({**QUIET, **where, **own}, keep=USERS)

    @property
    def _folder(self) -> Path:
        return _views() / f"{os.getpid()}-{id(self)}"  # a forked process has a view of its own

    def _update(self) -> None:
        """Create the view, or bring it up to date with the repository."""
        with self._lock:
            folder = self._folder
            if not folder.is_dir():
                self._known = {}
                for name in ("info", "logs"):
                    (folder / name).mkdir(parents=True, exist_ok=True)
            for link, target in self._links(folder):
                _link(folder / link, target)
            if not self._known or any(signature(file) != known for (file, _), known in self._known.items()):
                reader = ConfigReader()
                pairs = _values(reader.read(self.common / "config"))
                if _is_true("extensions.worktreeConfig", dict(pairs).get("extensions.worktreeconfig")):
                    pairs += _values(reader.read(self.git_dir / "config.worktree"))
                self._check(dict(pairs))
                users = _conditional_settings(self.git_dir)
                _write(folder / "config", _carried_config(pairs, self.root is None, users))
                self._pairs = pairs
                self._known = reader.files
            _write(folder / "info" / "exclude", self._patterns())
            _write(folder / "info" / "attributes", _text_of(self.common / "info" / "attributes"))
            for name in PSEUDO_REFS:
                _copy_ref(self.git_dir / name, folder / name)
            _write(folder / "HEAD", _head(self.git_dir / "HEAD"))  # last: without it this is no git directory

    def _links(self, folder: Path) -> Iterator[tuple[str, Path]]:
        """Yield the entries of the view that are links, with their targets."""
        for name in ("objects", "refs", "reftable", "packed-refs", "shallow"):
            yield name, self.common / name
        yield "lfs", self.common / "lfs"
        yield "logs/refs", self.common / "logs" / "refs"
        yield "logs/HEAD", self.git_dir / "logs" / "HEAD"
        yield "info/sparse-checkout", self.git_dir / "info" / "sparse-checkout"
        for place in (folder, self.git_dir):
            for shared in place.glob("sharedindex.*"):
                yield shared.name, self.git_dir / shared.name

    def _patterns(self) -> bytes:
        """Return the patterns of files that the repository's owner ignores, also those in a file that its configuration
        names: without them, ignored files would count as untracked, and become part of a base."""
        named = dict(self._pairs).get("core.excludesfile", "")
        texts = [_text_of(place_of(named, self.root or self.git_dir))] if named else []
        return b"\n".join([*texts, _text_of(self.common / "info" / "exclude")])

    def _check(self, settings: Settings) -> None:
        """Raise UsageError if git needs to know something that the repository's configuration says, or if a part of
        the repository is in another place."""
        for name in ("core.bare", "core.filemode"):  # git could not read this configuration
            _is_true(name, settings.get(name))
        if link := next(_links_below(self.common), None):
            raise UsageError(
                f"{link} is a symbolic link, which may lead to another repository.",
                "Clone the repository, and use the clone.",
            )
        index = self.git_dir / "index"
        if index.is_symlink() or (index.exists() and not index.is_file()):
            raise UsageError(f"{index} is not a regular file.", "Remove it, then run `git reset`.")
        unknown = {name.partition(".")[2] for name in settings if name.startswith("extensions.")} - EXTENSIONS
        if unknown and settings.get("core.repositoryformatversion", "0") != "0":
            raise UsageError(
                f"{self.git_dir} uses a format that is not supported: extensions.{sorted(unknown)[0]}.",
                "Clone the repository, and use the clone.",
            )
        storage = settings.get("extensions.refstorage", "files")
        if not storage.isalpha():  # with a new git, it may be a path
            raise UsageError(
                f"{self.git_dir} has its refs in another place: {storage}.", "Clone the repository, and use the clone."
            )
        if not self.root:
            return
        named = settings.get("core.worktree", "")
        if named and not _is_same(self.git_dir / named, self.root):
            raise UsageError(
                f"The configuration in {self.git_dir} says that the files of {self.root} are in another folder.",
                "Remove core.worktree from it, or clone the repository.",
            )
        link = self.root / ".git"
        is_own = self.git_dir.is_relative_to(self.root.resolve()) and not link.is_symlink()
        refers_back = not link.is_symlink() and _is_same(self.git_dir / path_in(self.git_dir / "gitdir"), link)
        if (link.is_symlink() or link.is_file()) and not (named or is_own or refers_back):
            command = shlex.join(["git", f"--git-dir={self.git_dir}", "config", "core.worktree", str(self.root)])
            raise UsageError(
                f"{link} names the git directory {self.git_dir}, which does not refer to {self.root}.",
                f"If they belong together: {command}",
            )


@cache
def view_of(git_dir: Path, root: Path | None) -> GitView:
    """Return the view of a repository; there is one for each in a process."""
    return GitView(git_dir, root)


def reading_environment(folder: Path, own: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for a git command that reads the repository that contains a folder, with the variables
    `own` added.

    Raises UsageError if there is none, or if it cannot be read without its configuration.
    """
    found = find_repository(folder)
    if not found:
        raise NoRepository(f"{folder} is not in a git repository.", "Name a repository.")
    return view_of(found.git_dir, None if found.bare else found.root).environment(own or {})


def common_folder(git_dir: Path) -> Path:
    """Return the git directory that a linked worktree shares with others; any other directory is returned unchanged.

    Only a directory in `worktrees` of the other one is a linked worktree: a prepared repository could name any.
    """
    try:
        found = (git_dir / path_in(git_dir / "commondir")).resolve()
    except (OSError, ValueError, RuntimeError):  # not a valid path, or circular links
        return git_dir.absolute()
    return found if git_dir.resolve().parent == found / "worktrees" else git_dir.absolute()


def path_in(file: Path) -> str:
    """Return the path in a file of a git directory; "" if there is none."""
    try:
        return os.fsdecode(read_limited(file, MOST_CONFIG).strip())
    except OSError:
        return ""


def _links_below(common: Path) -> Iterator[Path]:
    """Yield symbolic links in place of folders and files of a git directory from which git takes objects and refs."""
    left = [common / name for name in ("objects", "refs", "logs", "reftable")]
    yield from (each for each in (*left, common / "info") if each.is_symlink())
    while left:
        folder = left.pop()
        is_object_folder = len(folder.name) == 2 and folder.parent == common / "objects"  # with objects only
        try:
            with os.scandir(folder) as entries:
                for entry in entries if not is_object_folder else ():
                    if entry.is_symlink():
                        yield Path(entry.path)
                    elif entry.is_dir(follow_symlinks=False):
                        left.append(Path(entry.path))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise UsageError(f"{folder} cannot be read: {error.strerror}.", "Check its permissions.") from error


def _is_same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


@cache
def _views() -> Path:
    """Create the folder of the views, which is removed when this process ends."""
    made = process_folder() / "views"
    made.mkdir(mode=0o700)
    return made


def _link(link: Path, target: Path) -> None:
    """Make `link` a symbolic link to a folder or regular file of the repository, or remove it if there is none."""
    is_there = not target.is_symlink() and (target.is_dir() or target.is_file())
    if is_there and not os.path.lexists(link):
        link.symlink_to(target)
    elif not is_there:
        link.unlink(missing_ok=True)


def _write(file: Path, data: bytes) -> None:
    """Replace a file of the view if its content is another one; git never sees a part of it."""
    if file.is_file() and file.read_bytes() == data:
        return
    made = file.with_suffix(".new")
    made.write_bytes(data)
    made.replace(file)


def _text_of(file: Path) -> bytes:
    """Return the patterns in a regular file, which may be a link; empty if it cannot be read, which is what git does.
    Raises UsageError if it is too large."""
    try:
        return read_limited(file, MOST_PATTERNS)
    except (OSError, ValueError):  # ValueError: a null byte in its name
        return b""


def _copy_ref(file: Path, copy: Path) -> None:
    try:
        _write(copy, read_limited(file, MOST_CONFIG))
    except OSError:  # it does not exist, or is no regular file
        copy.unlink(missing_ok=True)


def _head(file: Path) -> bytes:
    """Return the content of HEAD. Raises UsageError if it cannot be read."""
    try:
        if file.is_symlink() and (target := os.fsencode(file.readlink())).startswith(b"refs/"):
            return b"ref: %b\n" % target
        return read_limited(file, MOST_CONFIG)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.", "Run `git fsck` there.") from error


def _values(settings: Iterable[Setting]) -> Pairs:
    """Return the settings that count. Conditions are not evaluated: of files that are included under one, patterns of
    ignored files count in any case, and other settings never."""
    return [(each.name, each.value) for each in settings if not each.conditional or each.name == "core.excludesfile"]


def _is_true(name: str, value: str | None, default: bool = False) -> bool:
    """Whether a value is true, read as git does. Raises UsageError for text that is no boolean."""
    if value is None:
        return default
    text = value.lower()
    if text in ("true", "yes", "on"):
        return True
    if text in ("false", "no", "off", ""):
        return False
    if not NUMBER.fullmatch(text):
        raise UsageError(f"The setting {name} is not a boolean: {value}.", "Correct it with `git config`.")
    return bool(text.strip("-+0kmgx"))


def _conditional_settings(git_dir: Path) -> Pairs:
    """Return the user's own settings if some of them depend on the place of the git directory (`includeIf`), which git
    compares with that of the view."""
    own = git_environ({})
    own |= {name: value for name, value in os.environ.items() if name == "GIT_CONFIG_GLOBAL"}
    if "GIT_CONFIG_GLOBAL" not in os.environ:
        del own["GIT_CONFIG_GLOBAL"]
    conditions = ("config", "--global", "--no-includes", "--get-regexp", r"^includeif\.gitdir")
    if not git(*conditions, env=own, ok=(0, 1), cwd=OUTSIDE):
        return []
    own |= {"GIT_DIR": str(git_dir), "GIT_WORK_TREE": str(git_dir)}  # GIT_WORK_TREE: instead of core.worktree
    try:
        listed = decode(git("config", "--global", "--includes", "-z", "--list", env=own))
    except GitFailed as error:  # git also parses the configuration of the repository
        raise UsageError(f"{git_dir / 'config'} cannot be read: {error.reason}.", "Correct the file.") from error
    return [
        (name, value)
        for name, value in parse_settings(listed.split("\0")[:-1])
        if not name.startswith(("include.", "includeif."))
    ]


def _carried_config(pairs: Pairs, bare: bool, users: Pairs) -> bytes:
    """Return a configuration file with the user's settings, followed by those of the repository that are carried
    over."""
    carried = [(name, value) for name, value in pairs if CARRIED.fullmatch(name)]
    version = "1" if any(name.startswith("extensions.") for name, _ in carried) else "0"
    carried += [("core.repositoryformatversion", version), ("core.bare", str(bare).lower())]
    lines = []
    for name, value in (*users, *carried):
        section, _, rest = name.partition(".")
        subsection, dot, key = rest.rpartition(".")
        lines += [f"[{section} {_quoted(subsection)}]" if dot else f"[{section}]", f"\t{key} = {_quoted(value)}"]
    return "\n".join([*lines, ""]).encode("utf-8", "surrogateescape")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


TRUSTED = "swe-agent.objects"
"""Setting in the user's configuration of git: folders from which any repository may take objects; `*` for all."""
MOST_ALTERNATES = 100
UNUSUAL = re.compile(rb"[\x00-\x1f\"\x7f]")
TO_READ, TO_WRITE = ("clean", "process"), ("clean", "smudge", "process")
"""Kinds of filter programs that git starts when it reads files of the working tree, and when it writes them."""


def check_alternates(view: GitView) -> None:
    """Raise UsageError if the repository takes objects from a folder outside of it that the user has not named."""
    outside = _alternate_folders(view.git_dir)
    trusted = _user_setting(view, "--get-all", TRUSTED) if outside else []
    folders = [Path(each).expanduser().resolve() for each in trusted if each]
    for folder in outside if "*" not in trusted else ():
        if not any(folder.is_relative_to(each) for each in folders):
            command = shlex.join(["git", "config", "--global", "--add", TRUSTED, str(folder)])
            raise UsageError(
                f"{view.root or view.git_dir} takes objects from {folder}, which may hold another repository.",
                f"If you trust it: {command}",
            )


def _alternate_folders(git_dir: Path) -> list[Path]:
    """Return the folders outside of a repository from which it takes objects, directly or through other folders."""
    common = common_folder(git_dir).resolve()
    outside: list[Path] = []
    seen: set[Path] = set()
    left = [common / "objects"]
    while left and len(seen) < MOST_ALTERNATES:
        folder = Path(os.path.realpath(left.pop()))
        if folder in seen:
            continue
        seen.add(folder)
        if not folder.is_relative_to(common):
            outside.append(folder)
        for line in _alternates(folder / "info" / "alternates"):
            # git unquotes some lines; whatever has a quote or a control character counts as another place
            place = folder / decode(line)
            (outside if UNUSUAL.search(line) else left).append(place)
    return [*outside, *left]


def _alternates(file: Path) -> list[bytes]:
    """Return the lines of a list of other folders with objects. Raises UsageError if it cannot be read whole."""
    try:
        lines = read_limited(file, MOST_CONFIG).split(b"\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UsageError(
            f"{file} cannot be read: {error.strerror}.", "Clone the repository, and use the clone."
        ) from error
    return [line for line in lines if line and not line.startswith(b"#")]


def repository_filters(view: GitView, kinds: Sequence[str] = TO_WRITE) -> set[str]:
    """Return the names of the filters of these kinds that only the repository's configuration defines, not the
    user's."""
    pattern = rf"^filter\..*\.({'|'.join(kinds)})$"
    names = {_filter_name(name) for name in view.settings if re.match(pattern, name)}
    return names - {_filter_name(line.partition(" ")[0]) for line in _user_setting(view, "--get-regexp", pattern)}


def check_filters(view: GitView, paths: Sequence[bytes], kinds: Sequence[str]) -> None:
    """Raise UsageError if one of these files has a filter that only the repository's configuration defines: its
    programs are not started, so git would read or write the file as it should not be."""
    names = repository_filters(view, kinds)
    if not names:
        return
    asked = b"".join(path + b"\0" for path in paths)
    options = ("check-attr", "-z", "--stdin", "filter")
    found = decode(git(*options, env=view.environment({}), cwd=view.root, input=asked)).split("\0")
    for path, name in zip(found[::3], found[2::3], strict=False):
        if name in names:
            raise UsageError(
                f"{path} needs the filter {name}, which only the configuration of {view.root} defines; it is not run.",
                f"If you trust it, define filter.{name} in your own configuration: git config --global",
            )


def _user_setting(view: GitView, how: str, name: str) -> list[str]:
    """Return the lines of `git config` for a setting of the user's own configuration."""
    return decode(git("config", how, name, env=view.environment({}), ok=(0, 1))).splitlines()


def _filter_name(setting: str) -> str:
    return setting.removeprefix("filter.").rpartition(".")[0]
