"""`fix --issue URL --pr`: from an issue on a server to a draft pull request there, once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.github.asking import Person, begun
from tests.github import Hub


@pytest.fixture
def person(tmp_path: Path, monkeypatch, capsys) -> Iterator[Person]:
    with Hub(tmp_path) as hub:
        yield begun(tmp_path, hub, monkeypatch, capsys)


def test_a_verified_patch_becomes_a_draft_pull_request(person: Person):
    told = person.fix()
    assert told["exit"] == 0, told
    (pull,) = person.pulls
    assert told["pull"] == pull.url
    assert pull.draft
    assert pull.title == "Add instead of subtracting"
    assert pull.body.startswith("Fixes #1.\n\n`add` subtracted its second argument. It now adds it.\n\n**Proof:**")
    assert person.git("diff", "--stat", "main", pull.head).count("|") == 2
