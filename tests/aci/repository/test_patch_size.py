from __future__ import annotations

import os
from pathlib import Path

import pytest

from aci.repository.patch import MOST_UNFOLDED, unpacked_size
from aci.repository.proposed_patch import patched_files
from aci.repository.user_repository import Repository
from tests.conftest import MakeRepo, git
from trajectories.errors import UsageError


def binary_diff(repo: Path, data: bytes) -> str:
    (repo / "big.bin").write_bytes(data)
    git(repo, "diff", "--binary", f"--output={repo.parent}/p.diff")
    git(repo, "checkout", "-q", ".")
    return (repo.parent / "p.diff").read_text()


def test_unpacked_size_of_text_patch_is_zero() -> None:
    assert unpacked_size("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-literal 5\n+delta 500000000\n") == 0


@pytest.mark.slow
def test_literal_that_unpacks_too_large_is_refused(make_repo: MakeRepo) -> None:
    repo = make_repo({"a.py": "x = 1\n", "big.bin": "\0"})
    diff = binary_diff(repo, bytes(MOST_UNFOLDED + 1))
    assert len(diff) < 500_000
    assert unpacked_size(diff) > MOST_UNFOLDED
    with pytest.raises(UsageError, match="binary files"), patched_files(Repository.open(repo), diff):
        pass


@pytest.mark.slow
def test_unpacked_size_of_delta_is_size_of_its_result(make_repo: MakeRepo) -> None:
    noise = "".join(map(chr, os.urandom(50_000)))
    repo = make_repo({"a.py": "x = 1\n", "big.bin": "\0" + noise})
    old = (repo / "big.bin").read_bytes()
    diff = binary_diff(repo, old * 40)
    assert "\ndelta " in diff
    assert 40 * len(old) <= unpacked_size(diff) < 42 * len(old)
    with patched_files(Repository.open(repo), diff) as (without, patched):
        assert without.key != patched.key


@pytest.mark.parametrize("line", ["", "zAAAA", "é", "z" + "~" * 60])
def test_malformed_delta_has_at_least_its_declared_size(line: str) -> None:
    assert unpacked_size(f"GIT binary patch\ndelta 7\n{line}\n") >= 7
