"""Experience that earlier versions stored belongs to the checkout of its oldest run."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from agent.run_state.checkouts import OtherCheckout
from agent.run_state.run_ownership import open_registry, register
from extensions.memory.experience_bank import Bank, Entry
from tests.agent.run_state.test_checkouts import copy, link, project, state, store, use
from trajectories.journal import Journal
from trajectories.records import Base, Issue, Run, Turn

__all__ = ["project", "state"]

ENTRY = Entry(id="run-1", outcome="worked", run="run-1", issue="add() subtracts", accepted=True)


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
    store(state, project)
    assert [*(state / "checkouts").glob("*.json")]
    assert len(link(state, other)) == 2


@pytest.mark.parametrize("what", ["removed run", "stranger's run"])
def test_entry_of_earlier_version_without_own_run_needs_a_link(state: Path, project: Path, what: str) -> None:
    key = use(state, project)
    Bank(state / "experience" / key).add(ENTRY)
    if what == "stranger's run":
        started_run(state, "run-1", project)
        journal = state / "runs" / "run-1" / "journal.jsonl"
        journal.write_text(journal.read_text().replace("add() subtracts", "add() divides"))
    with pytest.raises(OtherCheckout, match="names no checkout that it belongs to"):
        use(state, project)
    link(state, project)
    assert use(state, project) == key


def test_without_extension_experience_of_earlier_version_needs_a_link(
    state: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started_run(state, "run-1", project)
    Bank(state / "experience" / use(state, project)).add(ENTRY)
    use(state, project)
    monkeypatch.setattr("agent.run_state.checkouts.installed_module", lambda kind: None)
    with pytest.raises(OtherCheckout, match="names no checkout that it belongs to"):
        use(state, project)
