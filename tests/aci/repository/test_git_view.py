"""Reading a repository whose configuration somebody else wrote: nothing that it names is started or read."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from aci.repository.git_view import view_of
from aci.repository.repository_search import find_repository
from aci.repository.untracked_files import ignored_files, is_ignored, lines_with
from aci.repository.user_repository import Repository
from tests.aci.repository.conftest import User, run
from trajectories.errors import UsageError
from trajectories.git_store.trees import Trees


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A program that leaves a file `started` beside itself."""
    program = tmp_path / "canary"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\ncat\n")
    program.chmod(0o755)
    return program


PROGRAMS = (
    "core.fsmonitor",
    "core.pager",
    "core.sshCommand",
    "core.gitProxy",
    "core.editor",
    "core.askPass",
    "gpg.program",
    "diff.external",
    "diff.x.textconv",
    "diff.x.command",
    "filter.x.clean",
    "filter.x.smudge",
    "filter.x.process",
    "merge.x.driver",
    "credential.helper",
    "uploadpack.packObjectsHook",
    "alias.status",
)
"""Settings whose value is a program."""


@pytest.mark.slow
@pytest.mark.parametrize("place", ["config", "include", "includeIf", "worktree"])
def test_no_program_of_the_configuration_is_started(
    user: User, trees: Trees, canary: Path, tmp_path: Path, place: str
) -> None:
    user.commit(**{".gitattributes": b"*.py diff=x merge=x\n", "a.py": b"a = 1\n"})
    target = tmp_path / "other"
    for name in PROGRAMS:
        run(user.root, "config", "--file", str(target), name, str(canary))
    run(user.root, "config", "--file", str(target), "log.showSignature", "true")
    match place:
        case "config":
            with (user.root / ".git" / "config").open("a") as file:
                file.write(target.read_text())
        case "include":
            user.git("config", "include.path", str(target))
        case "includeIf":
            user.git("config", f"includeIf.gitdir:{user.root}/.path", str(target))
        case "worktree":
            user.git("config", "extensions.worktreeConfig", "true")
            shutil.copy(target, user.root / ".git" / "config.worktree")
    user.write("a.py", b"a = 2\n")
    user.write("b.py", b"b = 1\n")
    repository = Repository.open(user.root)
    base = repository.base(trees)
    assert trees.read(base.tree, "a.py") == b"a = 2\n"
    with repository.blobs() as blobs:
        assert "b.py" in {file.path for file in blobs.files()}
    repository.history(base, tmp_path / "history")
    tree = trees.write({"a.py": b"a = 3\n"}, base.tree)
    repository.apply(trees.diff(base.tree, tree), base)
    assert repository.branch("fix", base, tree, trees, "Fix")
    assert not is_ignored(user.root, user.root / "a.py")
    assert ignored_files(user.root) == []
    assert "a = 3" in lines_with(user.root, ["a"])
    assert not (tmp_path / "started").exists()
    run(user.root, "status")
    assert (tmp_path / "started").exists(), "the canary works"


def test_filter_of_the_repository_is_named_and_not_started(user: User, trees: Trees, canary: Path) -> None:
    user.commit(**{".gitattributes": b"*.bin filter=x\n"})
    user.git("config", "filter.x.clean", str(canary))
    Repository.open(user.root).base(trees)
    user.write("a.bin")
    with pytest.raises(UsageError, match="bin needs the filter x, which only the configuration of"):
        Repository.open(user.root).base(trees)
    assert not canary.with_name("started").exists()
    user.configure("filter.x.clean", str(canary))
    Repository.open(user.root).base(trees)
    assert canary.with_name("started").exists()


@pytest.mark.parametrize("name", ["core.excludesFile", "core.attributesFile"])
def test_files_that_the_configuration_names_are_not_read(user: User, trees: Trees, tmp_path: Path, name: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret-word\n*.py text\n")
    user.git("config", name, str(secret))
    repository = Repository.open(user.root)
    repository.history(repository.base(trees), tmp_path / "history")
    assert b"secret-word" not in (tmp_path / "history" / "info" / "exclude").read_bytes()


def test_linked_exclude_file_enters_no_workspace(user: User, trees: Trees, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret-word\n")
    exclude = user.root / ".git" / "info" / "exclude"
    exclude.unlink()
    exclude.symlink_to(tmp_path / "secret")
    repository = Repository.open(user.root)
    repository.history(repository.base(trees), tmp_path / "history")
    assert b"secret-word" not in (tmp_path / "history" / "info" / "exclude").read_bytes()


@pytest.mark.parametrize("place", ["configuration", "relative", "link", "both", "include"])
def test_files_that_the_user_ignores_stay_out_of_the_base(user: User, trees: Trees, tmp_path: Path, place: str) -> None:
    patterns = user.root / "patterns" if place == "relative" else tmp_path / "patterns"
    patterns.write_text("/private/\n/patterns\n")
    if place == "link":
        (user.root / ".git" / "info" / "exclude").unlink()
        (user.root / ".git" / "info" / "exclude").symlink_to(patterns)
    elif place == "include":
        (user.root / ".git" / "more").write_text(f"[include]\n\tpath = {tmp_path}/last\n")
        (tmp_path / "last").write_text(f"[core]\n\texcludesFile = {patterns}\n")
        user.git("config", "include.path", "more")
    else:
        user.git("config", "core.excludesFile", "patterns" if place == "relative" else str(patterns))
    if place == "both":
        user.write(".git/info/exclude", b"/other\n")
        user.write("other", b"also ignored")
    user.write("private/customers", b"ignored")
    assert not user.git("status", "--porcelain")
    base = Repository.open(user.root).base(trees)
    assert base.changes == 0
    assert not {"private/customers", "other", "patterns"} & trees.files(base.tree).keys()


def test_each_included_file_is_read_once(user: User) -> None:
    lines = "[include]\n" + "\tpath = config\n" * 30 + "".join(f"\tpath = more{n}\n" for n in range(3))
    (user.root / ".git" / "more1").write_text("[core]\n\tautocrlf = input\n[include]\n\tpath = ../.git/config\n")
    with (user.root / ".git" / "config").open("a") as file:
        file.write(lines)
    view = view_of(user.root / ".git", user.root)
    assert view.settings["core.autocrlf"] == "input"
    (user.root / ".git" / "more1").write_text("[core]\n\tautocrlf = false\n# longer\n")
    assert view.settings["core.autocrlf"] == "false", "an included file was changed"
    with (user.root / ".git" / "config").open("a") as file:
        file.write("".join(f"\tpath = many{n}\n" for n in range(30)))
    with pytest.raises(UsageError, match="config includes more than 20 files"):
        _ = view.settings


@pytest.mark.parametrize("via", ["config", "include"])
def test_patterns_of_a_conditional_include_are_read(user: User, trees: Trees, tmp_path: Path, via: str) -> None:
    (tmp_path / "private").write_text("/private/\n")
    (tmp_path / "last").write_text(f"[core]\n\texcludesFile = {tmp_path}/private\n\tautocrlf = input\n")
    target = user.root / ".git" / ("config" if via == "config" else "more")
    with target.open("a") as file:
        file.write(f'[includeIf "gitdir:{user.root}/"]\n\tpath = {tmp_path}/last\n')
    if via == "include":
        user.git("config", "include.path", "more")
    user.write("private/customers", b"ignored")
    assert Repository.open(user.root).base(trees).changes == 0
    assert "core.autocrlf" not in view_of(user.root / ".git", user.root).settings


def test_files_that_include_each_other_under_conditions_are_read_once(user: User, tmp_path: Path) -> None:
    every = "".join(f'[includeIf "gitdir:/x"]\n\tpath = {tmp_path}/{number}\n' for number in range(15))
    for number in range(15):
        (tmp_path / str(number)).write_text(every)
    (tmp_path / "0").write_text(f"{every}[core]\n\tautocrlf = input\n")
    with (user.root / ".git" / "config").open("a") as file:
        file.write(f"{every}[include]\n\tpath = {tmp_path}/0\n")
    assert view_of(user.root / ".git", user.root).settings["core.autocrlf"] == "input", "without a condition, too"


def test_included_pipe_does_not_hang(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(user.root / ".git" / "pipe")
    with (user.root / ".git" / "config").open("a") as file:
        file.write("[include]\n\tpath = pipe\n")
    monkeypatch.chdir(user.root)
    with pytest.raises(UsageError, match="pipe cannot be read"):
        Repository.open(user.root)


def test_included_file_that_is_no_configuration_is_named(user: User, tmp_path: Path) -> None:
    (tmp_path / "id_rsa").write_text("-----BEGIN secret-word\n")
    user.git("config", "include.path", str(tmp_path / "id_rsa"))
    with pytest.raises(UsageError, match="id_rsa cannot be read: bad config line 1") as raised:
        Repository.open(user.root)
    assert "secret-word" not in str(raised.value)


@pytest.mark.parametrize("name", ["pipe", "folder", "/dev/zero", "missing", "~nobody-of-that-name/x"])
def test_unusual_files_with_patterns_do_not_hang(user: User, trees: Trees, tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    user.git("config", "core.excludesFile", name if name[0] in "/~" else str(tmp_path / name))
    assert Repository.open(user.root).base(trees).changes == 0


def test_working_tree_that_the_configuration_names_is_refused(user: User, tmp_path: Path) -> None:
    user.git("config", "core.worktree", str(tmp_path))
    with pytest.raises(UsageError, match="are in another folder"):
        Repository.open(user.root)


def test_git_directory_of_another_working_tree_is_refused(user: User, tmp_path: Path) -> None:
    other = tmp_path / "archive"
    other.mkdir()
    (other / ".git").write_text(f"gitdir: {user.root}/.git\n")
    with pytest.raises(UsageError, match="does not refer to") as caught:
        Repository.open(other)
    assert "core.worktree" in caught.value.fix


@pytest.mark.parametrize("name", ["GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_DIR", "GIT_WORK_TREE"])
@pytest.mark.parametrize("value", ["", "other", "missing"])
def test_variables_of_the_caller_do_not_change_what_is_found(
    user: User, tmp_path: Path, name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hook of git has variables that name its own repository."""
    user.commit(**{"a.py": b"a = 1\n"})
    other = Path(shutil.copytree(user.root, tmp_path / "other"))
    no_repository = tmp_path / "folder" / ".git"
    no_repository.mkdir(parents=True)
    (no_repository / "HEAD").write_text("ref: refs/heads/main\n")
    (other / ".git" / "refs").mkdir(exist_ok=True)
    monkeypatch.setenv(name, str(tmp_path / value / ".git") if value else "")
    found = find_repository(user.root)
    assert found is not None
    assert found.git_dir == user.root / ".git"
    assert find_repository(no_repository.parent) is None
    assert os.environ[name] == (str(tmp_path / value / ".git") if value else "")


def test_embedded_git_directory_is_no_repository(user: User) -> None:
    run(user.root, "init", "-q", "--bare", "demo")
    for folder in ("demo", "demo/refs"):
        with pytest.raises(UsageError, match="looks like a git directory, but is inside the working tree"):
            Repository.open(user.root / folder)
    with pytest.raises(UsageError, match="is inside the git directory of"):
        Repository.open(user.root / ".git" / "refs")


def test_changed_settings_and_branches_are_seen(user: User) -> None:
    repository = Repository.open(user.root)
    first = repository.commit()
    user.git("config", "user.name", "Ada")
    assert repository.configured("user.name") == "Ada"
    user.git("switch", "-qc", "other")
    second = user.commit()
    assert (repository.commit(), repository.commit("trunk")) == (second, first)
    user.git("pack-refs", "--all")
    assert repository.commit("trunk") == first
    assert repository.commit("HEAD@{1}") == first
    view = view_of(repository.git_dir, repository.root)
    assert os.environ["HOME"] not in (Path(view.environment({})["GIT_DIR"]) / "config").read_text()


def test_all_values_of_a_setting_are_carried_over(user: User, tmp_path: Path) -> None:
    """A repository often fetches pull requests too, by a second value of the same setting."""
    first = user.commit(**{"a.py": b"a = 1\n"})
    user.git("clone", "-q", "--bare", str(user.root), str(tmp_path / "origin.git"))
    user.git("remote", "add", "origin", str(tmp_path / "origin.git"))
    user.git("config", "--add", "remote.origin.fetch", "+refs/pull/*/head:refs/remotes/origin/pull/*")
    user.git("fetch", "-q", "origin")
    user.git("branch", "-q", "-u", "origin/trunk")
    user.commit(**{"a.py": b"a = 2\n"})
    assert Repository.open(user.root).commit("@{upstream}") == first
    user.git("config", "--add", "url.https://example.org/.insteadOf", "e:")
    user.git("config", "--add", "url.https://example.org/.insteadOf", "ex:")
    listed = Repository.open(user.root).configured("url.https://example.org/.insteadOf", "--get-all")
    assert listed.split() == ["e:", "ex:"]


@pytest.mark.parametrize(
    ("value", "is_true"),
    [
        *((value, True) for value in ("true", "Yes", "on", "1", "2k", "0x10", None)),
        *((value, False) for value in ("false", "NO", "off", "0", "", "00")),
    ],
)
def test_booleans_are_read_as_git_reads_them(user: User, value: str | None, is_true: bool) -> None:
    user.commit(**{"a.py": b"a = 1\n"})
    written = "" if value is None else f" = {value}"
    with (user.root / ".git" / "config").open("a") as file:
        file.write(f"[core]\n\tfileMode{written}\n\tbare{written}\n[extensions]\n\tworktreeConfig{written}\n")
    (user.root / ".git" / "config.worktree").write_text("[user]\n\tname = Worktree\n")
    assert user.git("config", "--type=bool", "core.fileMode") == str(is_true).lower()
    repository = Repository.open(user.root)
    assert repository.bare is is_true
    assert repository.has_modes is is_true
    assert (repository.configured("user.name") == "Worktree") is is_true


@pytest.mark.parametrize("value", ["maybe", "1x", "tru"])
def test_invalid_boolean_is_named(user: User, value: str) -> None:
    user.commit(**{"a.py": b"a = 1\n"})
    user.git("config", "core.bare", value)
    with pytest.raises(UsageError, match=f"core.bare is not a boolean: {value}"):
        Repository.open(user.root)


def test_unusual_values_are_carried_over(user: User) -> None:
    value = 'a "quoted" \\ value; # and more'
    user.git("config", "user.name", value)
    user.git("config", 'remote.a "b\\c.fetch', "+refs/heads/*:refs/remotes/a/*")
    repository = Repository.open(user.root)
    assert repository.configured("user.name") == value
    assert repository.configured('remote.a "b\\c.fetch') == "+refs/heads/*:refs/remotes/a/*"


def test_objects_of_another_repository_need_the_users_word(user: User, trees: Trees, tmp_path: Path) -> None:
    first, second, third = tmp_path / "first", tmp_path / "second", tmp_path / "a third"
    run(tmp_path, "clone", "-q", "--shared", str(user.root), str(first))
    run(tmp_path, "clone", "-q", "--shared", str(first), str(third))
    (third / ".git" / "objects" / "info" / "alternates").rename(second)
    (third / ".git" / "objects" / "info" / "alternates").write_text("# a comment\n../../../first/.git/objects\n")
    for clone in (first, third):
        with pytest.raises(UsageError, match="takes objects from") as caught:
            Repository.open(clone)
        assert "swe-agent.objects" in caught.value.fix
    user.configure("swe-agent.objects", str(tmp_path))
    assert Repository.open(third).base(trees)
    run(third, "config", "swe-agent.objects", "*")
    run(third, "config", "--global", "--unset", "swe-agent.objects")
    with pytest.raises(UsageError, match="takes objects from"):
        Repository.open(third)


@pytest.mark.parametrize("name", ["objects", "refs"])
def test_linked_folder_of_the_git_directory_is_refused(user: User, tmp_path: Path, name: str) -> None:
    (user.root / ".git" / name).rename(tmp_path / name)
    (user.root / ".git" / name).symlink_to(tmp_path / name)
    with pytest.raises(UsageError, match="is a symbolic link"):
        Repository.open(user.root)


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """Another repository of the user, which a prepared one tries to show."""
    user = User(tmp_path / "private")
    user.commit(**{"secret.txt": b"secret-word\n"})
    return user.root


@pytest.mark.parametrize("way", ["commondir", "git link", "refs", "packs", "quoted", "control", "logs", "index"])
def test_prepared_repository_does_not_lead_into_another(
    user: User, trees: Trees, private: Path, tmp_path: Path, way: str
) -> None:
    git_dir, other = user.root / ".git", private / ".git"
    run(private, "repack", "-adq")
    alternates = git_dir / "objects" / "info" / "alternates"
    match way:
        case "commondir":
            (git_dir / "commondir").write_text(str(other))
        case "git link":
            shutil.rmtree(git_dir)
            git_dir.symlink_to(other)
        case "refs":
            shutil.rmtree(git_dir / "refs" / "heads")
            (git_dir / "refs" / "heads").symlink_to(other / "refs" / "heads")
        case "packs":
            shutil.rmtree(git_dir / "objects" / "pack")
            (git_dir / "objects" / "pack").symlink_to(other / "objects" / "pack")
        case "quoted":
            alternates.write_text(f'"{other}/objects"x\n')
        case "control":
            (git_dir / "objects" / "link").symlink_to(other / "objects")
            alternates.write_text("x\x0c\nlink\n")
        case "logs":
            shutil.rmtree(git_dir / "logs" / "refs" / "heads")
            (git_dir / "logs" / "refs" / "heads").symlink_to(tmp_path)
        case "index":
            (git_dir / "index").unlink()
            (git_dir / "index").symlink_to(other / "index")
    try:
        repository = Repository.open(user.root)
        assert "secret.txt" not in trees.files(repository.base(trees).tree)
        assert "secret.txt" not in trees.files(repository.base(trees, "HEAD").tree)
    except UsageError:
        return
    assert way == "commondir", "the prepared part was followed"


def test_worktree_of_bare_clone_has_its_files(user: User, trees: Trees, tmp_path: Path) -> None:
    run(tmp_path, "clone", "-q", "--bare", str(user.root), str(tmp_path / "bare.git"))
    run(tmp_path / "bare.git", "worktree", "add", "-q", str(tmp_path / "linked"), "-b", "work")
    (tmp_path / "linked" / "new.py").write_text("new = 1\n")
    repository = Repository.open(tmp_path / "linked")
    assert not repository.bare
    assert "new.py" in trees.files(repository.base(trees).tree)


def test_previous_head_can_be_named(user: User, trees: Trees) -> None:
    user.commit(**{"second.py": b"b = 1\n"})
    user.git("reset", "-q", "--hard", "HEAD~1")
    assert "second.py" in trees.files(Repository.open(user.root).base(trees, "ORIG_HEAD").tree)


def test_users_settings_for_the_place_of_the_repository_hold(
    user: User, trees: Trees, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ignored").write_text("private-notes.md\n")
    (tmp_path / "work").write_text(
        f"[core]\n\texcludesFile = {tmp_path}/ignored\n[user]\n\temail = ada@work.example\n\tname = Ada\n"
    )
    (tmp_path / "global").write_text(
        f'[user]\n\temail = ada@home.example\n[includeIf "gitdir:{user.root.resolve()}/"]\n\tpath = {tmp_path}/work\n'
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "global"))
    user.write("private-notes.md", b"private\n")
    repository = Repository.open(user.root)
    assert "private-notes.md" not in trees.files(repository.base(trees).tree)
    assert repository.configured("core.excludesFile") == f"{tmp_path}/ignored"
