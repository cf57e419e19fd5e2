"""Archives that a Python without extraction filters (3.11.0 to 3.11.3) extracts as others do."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from benchmarks._archives import unpack, unpack_commit
from tests.conftest import MakeRepo
from trajectories.git_store.git_commands import GitFailed

pytestmark = pytest.mark.filterwarnings("ignore:Python 3.14 will, by default, filter:DeprecationWarning")
"""Newer Pythons warn where an older one is imitated."""


@pytest.fixture(params=["filter", "check"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if request.param == "check":
        monkeypatch.delattr(tarfile, "data_filter", raising=False)
    elif not hasattr(tarfile, "data_filter"):
        pytest.skip("this Python has no extraction filters")
    return tmp_path / "folder"


def archive_of(members: Iterable[tuple[str, bytes, str, int]]) -> tarfile.TarFile:
    """Return an archive with these members: name, type, target of a link, and mode."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, kind, target, mode in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.mode, info.uid = kind, target, mode, 12345
            archive.addfile(info)
    data.seek(0)
    return tarfile.open(fileobj=data)


def test_files_links_and_modes(folder: Path) -> None:
    members = [
        ("src", tarfile.DIRTYPE, "", 0o755),
        ("src/run", tarfile.REGTYPE, "", 0o777),
        ("src/read", tarfile.REGTYPE, "", 0o444),
        ("src/link", tarfile.SYMTYPE, "../src/run", 0o777),
    ]
    unpack(archive_of(members), folder)
    assert (folder / "src/run").stat().st_mode & 0o777 == 0o755
    assert (folder / "src/read").stat().st_mode & 0o777 == 0o644
    assert (folder / "src/link").resolve() == (folder / "src/run").resolve()


@pytest.mark.parametrize(
    "members",
    [
        [("../outside", tarfile.REGTYPE, "", 0o644)],
        [("link", tarfile.SYMTYPE, "/etc", 0o777)],
        [("link", tarfile.SYMTYPE, "../outside", 0o777)],
        [("here", tarfile.SYMTYPE, ".", 0o777), ("link", tarfile.SYMTYPE, "here/../outside", 0o777)],
        [("link", tarfile.LNKTYPE, "../outside", 0o644)],
        [("device", tarfile.CHRTYPE, "", 0o644)],
        [("pipe", tarfile.FIFOTYPE, "", 0o644)],
    ],
    ids=["path", "absolute link", "relative link", "link through a link", "hard link", "device", "pipe"],
)
def test_member_that_leads_out_is_refused(folder: Path, members: list[tuple[str, bytes, str, int]]) -> None:
    folder.mkdir()
    (folder.parent / "outside").write_text("precious")
    with pytest.raises(tarfile.TarError):
        unpack(archive_of(members), folder)
    assert (folder.parent / "outside").read_text() == "precious"
    assert not (folder / "link").exists()


def test_commit_is_unpacked(make_repo: MakeRepo, tmp_path: Path) -> None:
    root = make_repo({"src/a.py": "x = 1\n"})
    unpack_commit(root / ".git", "HEAD", tmp_path / "files")
    assert (tmp_path / "files/src/a.py").read_text() == "x = 1\n"
    with pytest.raises(GitFailed, match="archive"):
        unpack_commit(root, "no-such-commit", tmp_path / "none")
