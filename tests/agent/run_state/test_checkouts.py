"""Checkouts that use what is stored for a repository: the first one, and those that the user linked."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from aci.history.repository_identity import Identity, find_identity
from aci.repository.user_repository import Repository
from agent.run_state.checkouts import (
    Checkout,
    OtherCheckout,
    claim_stored,
    link_checkout,
    stored_identity,
)
from agent.run_state.run_ownership import open_registry, register
from tests.conftest import git
from trajectories.errors import ConfigError
from trajectories.experience import Bank, Entry
from trajectories.journal import Journal
from trajectories.records import Base, Issue, Run, Turn

INFINITE = '[{"path": "x", "device": 1, "inode": Infinity, "token": "x"}]'
ENTRY = Entry(id="run-1", outcome="worked", run="run-1", issue="add() subtracts", accepted=True)


@pytest.fixture
def project(make_repo: Callable[..., Path]) -> Path:
    folder = make_repo({"a.py": "x = 1\n"})
    git(folder, "remote", "add", "origin", "https://github.com/owner/project")
    return folder


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def use(state: Path, folder: Path) -> str:
    """Return the key under which a checkout uses what is stored. Raises OtherCheckout."""
    source = Repository.open(folder)
    identity = stored_identity(state, source, source.commit())
    assert identity is not None
    return identity.key


def store(state: Path, folder: Path, entry: Entry = ENTRY) -> Bank:
    """Store an entry as a run in a checkout does."""
    source = Repository.open(folder)
    identity = stored_identity(state, source, source.commit())
    assert identity is not None
    claim_stored(state, source, identity)
    bank = Bank(state / "experience" / identity.key)
    bank.add(entry)
    return bank


def link(state: Path, folder: Path) -> list[Checkout]:
    source = Repository.open(folder)
    identity = identity_of(source)
    return link_checkout(state, source, identity)


def identity_of(source: Repository) -> Identity:
    identity = find_identity(source, source.commit())
    assert identity is not None
    return identity


def copy(folder: Path, to: Path) -> Path:
    return Path(shutil.copytree(folder, to, symlinks=True))


def cloned(folder: Path, to: Path) -> Path:
    subprocess.run(["git", "clone", "-q", str(folder), str(to)], check=True)
    return to


def restored(folder: Path, to: Path) -> Path:
    """Replace the checkout by a copy at the same path."""
    copy(folder, to)
    shutil.rmtree(folder)
    return to.rename(folder)


@pytest.mark.parametrize("make", [copy, cloned, restored])
def test_other_checkout_needs_a_link(
    state: Path, project: Path, tmp_path: Path, make: Callable[[Path, Path], Path]
) -> None:
    store(state, project)
    other = make(project, tmp_path / "other")
    with pytest.raises(OtherCheckout, match=r"belongs to another checkout \(\S+/repo1\)") as raised:
        use(state, other)
    assert raised.value.fix == "If this checkout is yours too, run `swe-agent experience link` in it."
    assert link(state, other)[-1].folder == str(other)
    assert use(state, other)
    if other != project:
        assert use(state, project), "the first one still uses it"


def test_moved_checkout_and_linked_worktree_need_no_link(state: Path, project: Path, tmp_path: Path) -> None:
    store(state, project)
    git(project, "worktree", "add", "-q", str(tmp_path / "worktree"))
    assert use(state, tmp_path / "worktree") == use(state, project)
    git(project, "worktree", "remove", str(tmp_path / "worktree"))
    assert use(state, project.rename(tmp_path / "moved"))


def test_inode_that_was_used_again_is_another_checkout(state: Path, project: Path) -> None:
    """An archive that is unpacked after the checkout was removed may get its path and inode."""
    store(state, project)
    for text in (b"", b"another", b"long " * 1000):
        (project / ".git" / "swe-agent.checkout").write_bytes(text)
        with pytest.raises(OtherCheckout):
            use(state, project)
    (project / ".git" / "swe-agent.checkout").unlink()
    with pytest.raises(OtherCheckout):
        use(state, project)
    link(state, project)
    assert use(state, project)


def test_checkout_with_changed_permissions_needs_no_link(state: Path, project: Path) -> None:
    store(state, project)
    subprocess.run(["chmod", "-R", "u+rwX", str(project)], check=True)
    assert use(state, project)


def test_checkout_that_only_reads_is_not_recorded(state: Path, project: Path, tmp_path: Path) -> None:
    other = copy(project, tmp_path / "other")
    use(state, other)
    store(state, project)
    assert use(state, project)


def test_first_of_two_checkouts_at_the_same_time_wins(state: Path, project: Path, tmp_path: Path) -> None:
    folders = [project, *(copy(project, tmp_path / f"copy{number}") for number in range(3))]
    sources = [Repository.open(folder) for folder in folders]
    identity = identity_of(sources[0])

    def claim(source: Repository) -> bool:
        try:
            claim_stored(state, source, identity)
            return True
        except OtherCheckout:
            return False

    with ThreadPoolExecutor() as pool:
        assert sum(pool.map(claim, sources)) == 1


@pytest.mark.parametrize("damage", ["", "{}", "[]", '[{"path": 1}]', "[1]", "[" * 100_000, INFINITE])
def test_damaged_record_gives_access_to_no_one(state: Path, project: Path, damage: str) -> None:
    file = state / "checkouts" / f"{store(state, project).folder.name}.json"
    file.write_text(damage)
    with pytest.raises((ConfigError, OtherCheckout), match=r"cannot be read|names no checkout"):
        use(state, project)


# What earlier versions stored


def started_run(state: Path, name: str, repository: Path) -> None:
    open_registry(state)
    directory = state / "runs" / name
    directory.mkdir(parents=True)
    register(directory, state, b"")
    with closing(Journal(directory)) as journal:
        journal.append(Run(name, Issue("add() subtracts"), str(repository), Base("", "")))
        journal.append(Turn("", "react"))
    register(directory, state)


def test_earlier_version_belongs_to_checkout_of_its_oldest_run(state: Path, project: Path, tmp_path: Path) -> None:
    bank = Bank(state / "experience" / use(state, project))
    other = copy(project, tmp_path / "other")
    for number, folder in ((1, project), (2, other)):
        started_run(state, f"run-{number}", folder)
        bank.add(replace(ENTRY, id=f"run-{number}", run=f"run-{number}", issue=f"Issue {number}", at=float(number)))
    with pytest.raises(OtherCheckout, match=str(project)):
        store(state, other)
    assert not (state / "checkouts").exists() or not [*(state / "checkouts").glob("*.json")]
    store(state, project, replace(ENTRY, id="run-3"))
    assert [*(state / "checkouts").glob("*.json")]
    assert len(link(state, other)) == 2


@pytest.mark.parametrize("what", ["removed run", "stranger's run", "notes", "summaries"])
def test_earlier_version_that_names_no_checkout_needs_a_link(state: Path, project: Path, what: str) -> None:
    key = use(state, project)
    if what == "notes":
        (state / "memory").mkdir(parents=True)
        (state / "memory" / f"{key}.md").write_text("- A note.\n")
    elif what == "summaries":
        (state / "summaries" / key).mkdir(parents=True)
        (state / "summaries" / key / "0.txt").write_text("sums")
    else:
        Bank(state / "experience" / key).add(ENTRY)
    if what == "stranger's run":
        started_run(state, "run-1", project)
        journal = state / "runs" / "run-1" / "journal.jsonl"
        journal.write_text(journal.read_text().replace("add() subtracts", "add() divides"))
    with pytest.raises(OtherCheckout, match="names no checkout that it belongs to"):
        use(state, project)
    link(state, project)
    assert use(state, project) == key
