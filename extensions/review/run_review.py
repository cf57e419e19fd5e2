"""The review for merging of the patch of a run: the tests run in a fork, earlier commits are read."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from aci.observation.activity_message import ActivityMessage
from agent.engine.permission_checks import may_test
from agent.lifecycle.merge_review import review_data
from agent.run_state.attempt_outcome import Outcome
from trajectories.errors import WorkspaceError
from trajectories.facts import Fact

if TYPE_CHECKING:
    from agent.engine.branch import Branch
    from extensions.review.merge_readiness.merge_review import MergeReview

MOST_PLACES, MOST_FINDINGS = 6, 50
EARLIER_COMMITS = 60
MIN_TEST_RUN_SECONDS, TIMES_SLOWER = 10.0, 3
"""A test run without a part of the patch may take that many times as long as with the whole patch, at least these
seconds."""


def review_outcome(branch: Branch, outcome: Outcome) -> dict[str, Any]:
    """Review the patch of this outcome; return the findings and facts as they are recorded."""
    from aci.testing.suite_run import all_pass
    from extensions.review.merge_readiness.merge_review import review_patch

    engine = branch.engine
    tests = outcome.verdict.tests
    branch.notify(ActivityMessage("Looking for changes that the fix does not need"))
    habits = _habits(branch, outcome)
    given = (engine.trees, branch.turn.base.tree, outcome.tree, branch.turn.issue.text)
    if not (tests and outcome.verdict.green and may_test(branch)):
        return _recorded(review_patch(*given), habits)
    with closing(branch.place.fork(outcome.tree)) as workspace:
        limit = engine.settings.test_timeout

        def passes(tree: str) -> bool:
            nonlocal limit
            workspace.restore(tree)
            began = time.monotonic()
            has_passed = all_pass(workspace, "", tests, limit)
            # The first run is that of the whole patch. Without a part of it, a test may never end.
            limit = min(limit, max(MIN_TEST_RUN_SECONDS, TIMES_SLOWER * (time.monotonic() - began)))
            return has_passed

        return _recorded(review_patch(*given, passes), habits)


def _habits(branch: Branch, outcome: Outcome) -> list[Fact]:
    """Return what earlier commits came with and this patch lacks; nothing if the history cannot be read."""
    from aci.history.git_log import GitLog
    from extensions.review.merge_readiness.repository_habits import missing_companions

    trees, base = branch.engine.trees, branch.turn.base
    try:
        log = GitLog(branch.engine.repository.git_dir)
        earlier = log.changed(log.ancestors(base.commit)[:EARLIER_COMMITS])
    except WorkspaceError:
        return []
    return missing_companions(earlier.values(), [one.path for one in trees.changed(base.tree, outcome.tree)])


def _recorded(review: MergeReview, habits: Sequence[Fact]) -> dict[str, Any]:
    shown = review.findings[:MOST_FINDINGS]
    findings = [{"kind": one.kind, "path": one.path, "line": one.line, "text": one.text} for one in shown]
    facts = []
    if len(review.findings) > len(shown):
        facts.append(Fact("limit", f"There are {len(review.findings) - len(shown)} more such changes."))
    if review.unneeded:
        places = tuple(f"{hunk.path}:{hunk.new_start + 1}" for hunk in review.unneeded)
        more = f" and {len(places) - MOST_PLACES} more" if len(places) > MOST_PLACES else ""
        text = f"The tests that show the issue pass without {len(places)} of {review.hunks} hunks: "
        text += f"{', '.join(places[:MOST_PLACES])}{more}."
        facts.append(Fact("unneeded", text, {"places": places[:MOST_PLACES]}))
    return review_data(findings, [*facts, *habits])
