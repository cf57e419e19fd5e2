"""What came of an errand is brought to GitHub, once, or it is said why not."""

from __future__ import annotations

import re
from typing import Any

import pytest

from agent.github.action import status_comment
from agent.github.action.publish_job import publish
from agent.github.action.spend_record import Charge
from agent.github.api.github_client import repository
from agent.github.api.github_urls import own_repository
from agent.github.task import task_request
from tests.agent.github.publish_runner import BOT, DIFF, RESULT, RIGHTS, SETUP, UNPROVEN, VERIFIED, WORKFLOW, World
from tests.conftest import git
from trajectories.errors import TryLater, UsageError


def test_verified_fix_becomes_draft(world: World) -> None:
    assert world.run() == 0
    (pull,) = world.repo.pulls
    assert (pull.draft, pull.head, pull.base, pull.author.login) == (True, "swe-agent/issue-1", "main", BOT)
    assert pull.title == "Add instead of subtracting"
    assert "Fixes #1" in str(pull.body)
    assert "*Approve workflows to run*" in str(pull.body)
    assert git(world.repo.git, "rev-parse", "swe-agent/issue-1^") == world.base
    assert "return a + b" in git(world.repo.git, "show", "swe-agent/issue-1:core.py")
    assert git(world.repo.git, "log", "-1", "--format=%an %cn", "swe-agent/issue-1") == f"{BOT} {BOT}"
    assert world.outputs == {"outcome": "pull", "pull": "2"}
    (said,) = world.said
    assert "#2 is a draft with a verified fix: Add instead of subtracting." in said
    assert "$0.25" in said
    assert f"{world.hub.url}/octo/calc/actions/runs/77" in said
    assert said.endswith("Requested by ada.")
    assert said.endswith(world.summary.read_text().strip())


def test_apps_pull_request_does_not_wait_for_approval(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.hub.token("publish", "fixer[bot]", permissions=RIGHTS, app=True)
    monkeypatch.setenv("SWE_AGENT_GITHUB_BOT", "fixer[bot]")
    world.run()
    (pull,) = world.repo.pulls
    assert "Approve" not in f"{pull.body}{world.summary.read_text()}"
    assert git(world.repo.git, "log", "-1", "--format=%an", pull.head) == "fixer[bot]"


@pytest.mark.slow
def test_what_runs_by_itself_stands_first(world: World) -> None:
    world.run(DIFF + SETUP)
    body = str(world.repo.pulls[0].body)
    assert body.index("`setup.py`") < body.index("`core.py`")
    assert "runs or is read on install" in body


def test_patch_of_workflows_is_refused(world: World) -> None:
    assert world.run(DIFF + WORKFLOW) == 0
    assert (world.branches, world.repo.pulls) == (["main"], [])
    assert world.outputs == {"outcome": "refused", "pull": ""}
    (said,) = world.said
    assert "`.github/workflows/x.yml`: it configures what CI runs." in said
    assert "gh run download 77 -R octo/calc -n swe-agent-handover" in said


def test_patch_that_does_not_fit_is_refused(world: World) -> None:
    world.run(DIFF.replace(b"return a - b", b"return a * b"))
    assert world.branches == ["main"]
    assert "does not apply" in world.said[0]


def test_what_is_not_proven_is_comment(world: World) -> None:
    assert world.run(exit=6) == 0
    assert (world.branches, world.outputs["outcome"]) == (["main"], "unproven")
    (said,) = world.said
    assert "not proven, so it is not published" in said
    assert "The sign was wrong. add() adds now." in said
    assert "It hangs." in said
    assert f"tar -xf handover.tar patch.diff\ngit checkout {world.base[:12]}\npython -m pytest" in said


def test_what_is_not_proven_becomes_draft_where_owner_wants_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWE_AGENT_GITHUB_OPEN_UNPROVEN", "true")
    world.run(exit=6)
    assert "**Not proven:**" in str(world.repo.pulls[0].body)
    assert "#2 is a draft with a patch that is not proven" in world.said[0]


def test_no_fix_says_where_to_look_and_what_was_tried(world: World) -> None:
    place = {"path": "core.py", "line": 1, "name": "add", "why": "named in the issue"}
    error = {"code": 1, "message": "The model went round in circles.", "fix": "Try another model."}
    told: dict[str, Any] = {"places": (place,), "tried": ("Changed core.py: its test still fails.",)}
    assert world.run(b"", exit=1, red_test=SETUP.decode(), result={"error": error}, **told) == 0
    (said,) = world.said
    assert "No fix was found. The model went round in circles.\n" in said
    assert "- `core.py:1` `add`: named in the issue" in said
    assert "- Changed core.py: its test still fails." in said
    assert "```diff\ndiff --git a/setup.py" in said
    assert "swe-agent-handover" not in said
    assert world.outputs["outcome"] == "none"


def test_budget_ended_first(world: World) -> None:
    world.run(DIFF, exit=4)
    assert "The budget ran out before a fix was found;" in world.said[0]
    assert (
        "The changes that it had made by then are not a fix. The patch is `patch.diff` in `handover.tar`"
        in world.said[0]
    )
    assert (world.outputs["outcome"], world.branches) == ("budget", ["main"])


@pytest.mark.parametrize(("code", "fix"), [(3, "Set OPENAI_API_KEY."), (5, "Start Docker."), (75, "Try again later.")])
def test_error_is_told_with_its_fix(world: World, code: int, fix: str) -> None:
    assert world.run(b"", exit=code, result={"error": {"code": code, "message": "It broke.", "fix": fix}}) == 0
    assert f"The run failed: It broke. {fix}".replace("_", "") in world.said[0].replace("_", "").replace("`", "")
    assert world.outputs["outcome"] == "error"


def test_solving_job_that_died_is_told_with_its_run(world: World) -> None:
    assert world.run(None) == 0
    assert "ended without a result" in world.said[0]
    assert "actions/runs/77" in world.said[0]
    assert world.outputs["outcome"] == "died"


# What is not as it was


def test_handover_that_cannot_be_had_is_no_death(world: World) -> None:
    """Publishing fails, so that it is run again."""
    digest = task_request.write(world.errand(), world.folder / "errand.json")
    with pytest.raises(UsageError, match="cannot be read"):
        publish(world.folder / "errand.json", digest, world.folder / "none.tar", "0" * 64, world.checkout)
    assert "cannot be read" in world.said[0]


def test_errand_of_another_digest_is_not_acted_on(world: World) -> None:
    world.run(None)
    before = world.written()
    with pytest.raises(UsageError, match="not the file that the gate wrote"):
        publish(world.folder / "errand.json", "0" * 64, None, "", world.checkout)
    assert world.written() == before


def test_errand_of_another_repository_is_not_acted_on(world: World) -> None:
    with pytest.raises(UsageError, match="is for octo/other"):
        world.run(asked=world.errand(repository="octo/other"))
    assert world.written() == []


def test_handover_that_was_swapped_is_not_published(world: World) -> None:
    asked = world.errand()
    digest = task_request.write(asked, world.folder / "errand.json")
    (world.folder / "handover.tar").write_bytes(b"x")
    with pytest.raises(UsageError, match="not the file that the solve job wrote"):
        publish(world.folder / "errand.json", digest, world.folder / "handover.tar", "0" * 64, world.checkout)
    assert "not the file that the solve job wrote" in world.said[0]
    assert (world.outputs, world.branches) == ({"outcome": "error", "pull": ""}, ["main"])


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"errand": "0" * 64}, "another task"),
        ({"base": "0" * 40}, "another task"),
        ({"verdict": UNPROVEN}, "is inconsistent"),
        ({"diff": b""}, "is inconsistent"),
        ({"exit": 6, "verdict": VERIFIED}, "is inconsistent"),
    ],
    ids=["errand", "base", "verdict", "nothing", "exit"],
)
def test_handover_that_does_not_agree_is_not_published(world: World, told: dict[str, Any], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        world.run(**told)
    assert why in world.said[0]
    assert world.branches == ["main"]


def test_what_models_say_names_nobody_and_links_nothing(world: World) -> None:
    nasty = "cc @octocat fixes #99 <!-- hidden --> ![x](https://evil.example/x.png)"
    world.run(exit=6, title=nasty, cause=nasty, change=nasty, tried=(nasty,), attempts=(nasty,))
    (said,) = world.said
    assert "The agent came across text that tries to instruct it" in said
    prose = re.sub(r"`[^`]*`", "", said.partition("-->")[2])
    assert not re.search(r"@octocat|#99|<!--|!\[|https://evil", prose)


def test_keys_in_what_models_say_are_not_published(world: World) -> None:
    key = "ghp_" + "a1B2" * 9
    world.run(title=f"Add {key}", cause=f"It was {key}.", change=f"It is {key}.")
    message = git(world.repo.git, "log", "-1", "--format=%B", "swe-agent/issue-1")
    pull = world.repo.pulls[0]
    assert key not in f"{message}{pull.title}{pull.body}{world.said}{world.summary.read_text()}"


def test_projects_policy_is_named(world: World) -> None:
    world.run(asked=world.errand(policies=("https://example.org/AI_POLICY.md",)))
    assert "The project's policy on AI: https://example.org/AI_POLICY.md" in str(world.repo.pulls[0].body)


def test_changelog_is_kept_as_repository_keeps_it(world: World) -> None:
    text = "# Changelog\n\n## Unreleased\n\n### Fixed\n\n- One thing.\n\n## 1.0\n\n### Fixed\n\n- Another.\n"
    world.base = world.push("main", {"CHANGELOG.md": text})
    world.run()
    assert "Add instead of subtracting" in git(world.repo.git, "show", "swe-agent/issue-1:CHANGELOG.md")
    assert "The entry in `CHANGELOG.md` was not part of the proof." in str(world.repo.pulls[0].body)


def test_changelog_without_entry_is_to_be_looked_at(world: World) -> None:
    world.base = world.push("main", {"CHANGES.rst": "Changes\n=======\n\n1.0\n---\n\n- First.\n"})
    world.run()
    assert "**Look first at**\n- `CHANGES.rst` has no entry for this change.\n- `core.py`" in str(
        world.repo.pulls[0].body
    )


def test_second_run_after_crash_before_pull_request(world: World) -> None:
    world.hub.fault("POST", r"/pulls$", status=502, times=1)
    with pytest.raises(TryLater):
        world.run()
    assert (world.branches, world.repo.pulls) == (["main", "swe-agent/issue-1"], [])
    assert "Try again" in world.said[0]
    assert world.run() == 0
    assert (world.branches, len(world.repo.pulls), len(world.said)) == (["main", "swe-agent/issue-1"], 1, 1)
    assert "#2 is a draft" in world.said[0]


def test_second_run_after_crash_before_comment(world: World) -> None:
    world.hub.fault("POST", r"/comments$", status=502, times=1)
    with pytest.raises(TryLater):
        world.run()
    assert world.run() == 0
    assert (len(world.branches), len(world.repo.pulls), len(world.said)) == (2, 1, 1)
    assert world.outputs == {"outcome": "pull", "pull": "2"}


def test_whole_workflow_again_makes_no_second_pull_request(world: World) -> None:
    world.run()
    world.run(DIFF.replace(b"a + b", b"b + a"))
    assert (len(world.branches), len(world.repo.pulls)) == (2, 1)
    assert "A pull request for #1 is open: #2. So nothing was pushed. The patch is verified." in world.said[0]
    assert world.outputs == {"outcome": "skipped", "pull": ""}


def test_pull_request_of_somebody_elses_meanwhile(world: World) -> None:
    world.push("topic", {"core.py": "x = 1\n"})
    world.repo.pull("topic", "main", author="bob", title="Add", body="Closes #1")
    world.run()
    assert "A pull request for #1 is open: #2." in world.said[0]
    assert "swe-agent/issue-1" not in world.branches


def test_issue_that_was_closed_meanwhile(world: World) -> None:
    world.issue.close()
    world.run()
    assert "#1 was closed meanwhile. So nothing was pushed." in world.said[0]
    assert world.branches == ["main"]


def test_pull_request_with_this_patch_that_was_closed_stays_so(world: World) -> None:
    world.run()
    world.repo.pulls[0].close(None)
    world.run()
    assert "#2 with the same patch was closed." in world.said[0]
    assert len(world.repo.pulls) == 1


def test_pull_request_that_was_closed_is_not_taken_for_new_one(world: World) -> None:
    world.run()
    world.repo.pulls[0].close(None)
    git(world.repo.git, "branch", "-D", "swe-agent/issue-1")
    world.run(asked=world.errand(at="2026-01-03T04:00:00Z"))
    assert [pull.state for pull in world.repo.pulls] == ["closed", "open"]
    assert "#3 is a draft" in world.said[0]


def test_shallow_checkout_is_enough(world: World) -> None:
    world.base = world.push("main", {"x.py": "x = 1\n"})
    shallow = world.folder / "shallow"
    git(world.folder, "clone", "-q", "--depth=1", f"file://{world.repo.git}", str(shallow))
    world.push("main", {"x.py": "x = 2\n"})
    world.checkout = shallow
    world.run()
    assert git(world.repo.git, "rev-parse", f"{world.repo.pulls[0].head}^") == world.base


def test_branch_that_is_taken_is_left_alone(world: World) -> None:
    taken = world.push("swe-agent/issue-1", {"x.py": "x = 1\n"})
    world.run()
    assert git(world.repo.git, "rev-parse", "swe-agent/issue-1") == taken
    assert world.repo.pulls[0].head == "swe-agent/issue-1-2"


@pytest.mark.parametrize(("files", "fits"), [({"README.md": "# Calculator\n"}, True), ({"core.py": "x\n"}, False)])
def test_base_that_went_on(world: World, files: dict[str, str], fits: bool) -> None:
    world.push("main", files)
    world.run()
    assert ("`main` has new commits meanwhile" not in str(world.repo.pulls[0].body)) is fits
    assert git(world.repo.git, "rev-parse", "swe-agent/issue-1^") == world.base


def test_dry_run_writes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWE_AGENT_GITHUB_DRY_RUN", "true")
    assert world.run() == 0
    assert world.written() == []
    summary = world.summary.read_text()
    assert "This would be a draft pull request." in summary
    assert "**Proof:**" in summary
    world.run(exit=6)
    assert "not proven" in world.summary.read_text()
    assert world.written() == []


def test_what_was_held_is_settled(world: World) -> None:
    place = repository(own_repository())
    held = status_comment.hold(
        place, status_comment.StatusComment(1), "Working on it.", Charge("77", "2026-01-02T04:00:00Z", 2.0)
    )
    world.run(None)
    assert status_comment.find(place, 1, BOT).charges == held.charges
    world.run()
    (charge,) = status_comment.find(place, 1, BOT).charges
    assert (charge.spent, charge.pull, charge.journal) == (0.25, 2, True)
    world.run(b"", exit=1, result={"usage": {**RESULT["usage"], "dollars": None}})
    assert status_comment.find(place, 1, BOT).charges[0].spent == 2.0
    assert len(world.said) == 1


def test_cost_that_is_lie_is_counted_as_few_budgets(world: World) -> None:
    place = repository(own_repository())
    status_comment.hold(
        place, status_comment.StatusComment(1), "Working on it.", Charge("77", "2026-01-02T04:00:00Z", 2.0)
    )
    world.run(b"", exit=1, result={"usage": {**RESULT["usage"], "dollars": 1e308}})
    assert status_comment.find(place, 1, BOT).charges[0].spent == 10.0


def test_comment_that_is_too_long_is_cut_between_lines(world: World) -> None:
    """In the midst of one, a name would step out of its span of code."""
    place = repository(own_repository())
    status_comment.update_comment(
        place, status_comment.StatusComment(1), "\n".join(["`@victim-org/everybody` and more"] * 3_000)
    )
    (said,) = world.said
    assert len(said) <= 65_000
    assert said.endswith("`@victim-org/everybody` and more\n\n(The rest was too long.)")
