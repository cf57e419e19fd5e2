"""Repositories whose files git cannot read: the message names git's cause, and following the advice helps."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from aci.repository.user_repository import Repository
from tests.aci.repository.conftest import User, run
from trajectories.errors import UsageError
from trajectories.git_store.trees import Trees
from trajectories.records import Base

READINGS: dict[str, Callable[[Repository, Trees, Path], object]] = {
    "the working tree": lambda repository, trees, _: repository.base(trees),
    "a commit": lambda repository, trees, _: repository.base(trees, "HEAD"),
    "the history": lambda repository, trees, folder: repository.history(
        Base(repository.commit(), repository.commit()), folder / "history"
    ),
}


@pytest.mark.parametrize("remote", ["origin", "up.stream"])
@pytest.mark.parametrize("what", READINGS)
def test_advice_for_partial_clone_fetches_its_objects(
    user: User, trees: Trees, tmp_path: Path, what: str, remote: str
) -> None:
    user.git("config", "uploadpack.allowFilter", "true")
    clone = ("clone", "-q", "--filter=blob:none", "--sparse", "-o", remote, f"file://{user.root}", "my clone")
    run(tmp_path, *clone)
    repository = Repository.open(tmp_path / "my clone")
    with pytest.raises(UsageError, match="this partial clone lacks objects") as caught:
        READINGS[what](repository, trees, tmp_path)
    command = caught.value.fix.partition(": ")[2]
    subprocess.run(shlex.split(command), check=True, capture_output=True)
    READINGS[what](repository, trees, tmp_path)


@pytest.mark.parametrize("kind", ["process", "clean"])
def test_missing_program_of_required_filter_is_named(user: User, trees: Trees, kind: str) -> None:
    user.commit(**{".gitattributes": b"*.bin filter=lfs\n"})
    user.configure(f"filter.lfs.{kind}", "git-lfs-that-is-missing %f")
    user.configure("filter.lfs.required", "true")
    user.write("x.bin")
    with pytest.raises(UsageError) as caught:
        Repository.open(user.root).base(trees)
    assert "x.bin: clean filter 'lfs' failed (" in caught.value.message or kind == "process"  # git may end earlier
    assert "git-lfs-that-is-missing: not found)" in caught.value.message
    assert caught.value.fix.startswith("Install git-lfs-that-is-missing or repair it")


def test_other_failure_does_not_advise_to_fetch(user: User, trees: Trees) -> None:
    (user.root / ".git" / "index").write_bytes(b"damaged")
    with pytest.raises(UsageError, match="cannot be read") as caught:
        Repository.open(user.root).base(trees)
    assert "fetch" not in caught.value.fix
