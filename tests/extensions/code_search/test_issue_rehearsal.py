"""Code from an issue runs on this machine only if the command line allows it and no rule denies it."""

from __future__ import annotations

from pathlib import Path

import pytest

from aci.repository.user_repository import Repository
from extensions.code_search.issue_rehearsal import run_issue_code
from trajectories.errors import UsageError
from trajectories.records import Issue


@pytest.fixture
def rehearse(tmp_path: Path, make_repo, own_config: Path):
    """`rehearse("local")` does what `locate --run --workspace local` does; it returns whether the example ran."""
    source = Repository.open(make_repo({"calc.py": "x = 1\n"}))
    mark = tmp_path / "ran"
    issue = Issue("Wrong", f"```python\nimport calc\nopen({str(mark)!r}, 'w').close()\n```\n")

    def run(workspace: str | None, config: str) -> bool:
        own_config.write_text(config)
        run_issue_code(source, None, issue, workspace, None, lambda _: None)
        return mark.exists()

    run.mark = mark
    return run


def test_local_workspace_in_config_does_not_allow_issue_code(rehearse) -> None:
    with pytest.raises(UsageError, match="without isolation") as raised:
        rehearse(None, 'workspace = "local"\n')
    assert "--workspace local" in raised.value.fix
    assert not rehearse.mark.exists()


@pytest.mark.parametrize("rule", ["command *", "command open"])
def test_denied_issue_code_does_not_run(rehearse, rule: str) -> None:
    with pytest.raises(UsageError, match="A configured rule denies it"):
        rehearse("local", f'[permissions]\ndeny = ["{rule}"]\n')
    assert not rehearse.mark.exists()


def test_command_line_option_allows_issue_code(rehearse) -> None:
    assert rehearse("local", 'workspace = "docker"\n[permissions]\ndeny = ["command rm"]\n')
