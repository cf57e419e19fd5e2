"""How the repository's tests are run, as the first message says: the command, what it did when it was tried, and the
nearest test files."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from aci.graph.file_selection import language_of
from aci.localization.issue_localization import text_of
from aci.observation.failure_cause import failure_cause
from aci.observation.untrusted_text import quote_text
from aci.proof.suite_selection import nearest_tests
from aci.repository.test_files import is_test
from aci.testing.command_files import PYTEST
from aci.testing.suite_command import NeedsPytest, detect
from aci.testing.suite_run import run_tests
from agent.engine.permission_checks import may_test
from agent.run_state.strategy_traits import is_proposed, is_repair, reads_messages
from agent.run_state.turn_state import MAIN
from trajectories.errors import UsageError
from trajectories.git_store.trees import EMPTY_TREE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aci.testing.suite_results import SuiteReport
    from agent.engine.branch import Branch
    from agent.run_state.turn_state import TurnInput
    from trajectories.git_store.trees import Trees

TRIED = "first test run"
"""The name of the recorded result of `tried_command`."""
TRY_SECONDS, SLOW_SECONDS = 30.0, 10.0
"""Time limit of each command that is tried, and the time from which it is called slow."""
NOT_CHECKED = "This run cannot check whether the other tests still pass."
NEAR_PLACES = 3
"""Maximum number of functions for which the nearest tests are listed."""


def tried_command(branch: Branch, found: dict[str, Any]) -> dict[str, Any]:
    """Run the nearest test file with the test command, and with another runner if this fails without a test. Return the
    `file` and the `tries`, each with its `command` and `result`.

    Nothing runs outside repairs by a model, without a test file, or if the user does not allow tests. The result is
    recorded on the main branch, for the attempts too. Then the suite starts, which the first proof needs, also if no
    test file is near.
    """
    if branch.name != MAIN:
        return branch.known_on_main(TRIED) or {}
    tried: dict[str, Any] = branch.once(TRIED, lambda: _try(branch, found))
    return tried


def _try(branch: Branch, found: dict[str, Any]) -> dict[str, Any]:
    strategy = branch.turn.strategy
    is_read = is_repair(strategy) and reads_messages(strategy) and not is_proposed(strategy)
    if not is_read or not _test_files(branch) or not may_test(branch):
        return {"tries": []}
    near = near_files(branch, found)
    tried = {"tries": _tries_of(branch, near[0]), "file": near[0]} if near else {"tries": []}
    settings = branch.turn.settings
    branch.engine.proof_ahead.start(branch.turn.base.tree, settings, branch.cancel, settings.suite_time)
    return tried


def _tries_of(branch: Branch, file: str) -> list[dict[str, str]]:
    """Run a test file with the test command, and with another runner if this fails without a test."""
    tries: list[dict[str, str]] = []
    try:
        command = branch.turn.settings.test or detect(branch.workspace)[0]
        for each in (command, *_other_runners(command, file)):
            report = run_tests(branch.workspace, each, [file], TRY_SECONDS)
            is_dead = not report.results and report.code != 0
            cause = failure_cause(report.output) if is_dead else ""
            tries.append({"command": each, "result": ": ".join(filter(None, (_result(report), cause)))})
            if not is_dead or report.timed_out:
                break
    except UsageError:
        pass  # the message about the command says why there is none
    finally:
        branch.workspace.restore(branch.tree)
    return tries


def _result(report: SuiteReport) -> str:
    """Return the counts of a test run; its time only in steps, since runs of one issue have the same prompt."""
    other = "no tests ran" if report.granularity == "test" else f"exit code {report.code}"
    counts = ", ".join(f"{count} {outcome}" for outcome, count in report.counts.items()) or other
    if report.timed_out:
        return f"{counts}, stopped after {TRY_SECONDS:.0f} s"
    return f"{counts} in more than {SLOW_SECONDS:.0f} s" if report.seconds > SLOW_SECONDS else counts


def _other_runners(command: str, file: str) -> tuple[str, ...]:
    """Return the runner of Python's tests that the command is not."""
    if not file.endswith(".py"):
        return ()
    return ("python3 -m unittest",) if PYTEST.search(command) else ("python3 -m pytest",)


def describe_tests(branch: Branch, near: Sequence[str], tried: dict[str, Any] | None = None) -> str:
    """Return how tests are run, what the command did when it was `tried`, and which test files are `near` to the
    likeliest places."""
    try:
        command, version = (branch.turn.settings.test, "") if branch.turn.settings.test else detect(branch.workspace)
        documented = branch.engine.base_instructions.test
        origin = f"from {documented.where}" if documented else f"Python {version}" if version else ""
        how = f"`{command}`{_in_brackets(quote_text(origin), _tries(tried or {}))}"
    except UsageError as error:
        how = error.message.rstrip(".")
        if isinstance(error, NeedsPytest):
            branch.notify(f"{NOT_CHECKED} {error.message} {error.fix}")
    folders = Counter(path.rpartition("/")[0] for path in _test_files(branch)).most_common(1)
    where = ", ".join(near) or (f"{folders[0][0]}/" if folders else "none yet")
    return f"{how}; nearest: {where}"


def _in_brackets(*parts: str) -> str:
    text = "; ".join(filter(None, parts))
    return f" ({text})" if text else ""


def _tries(tried: dict[str, Any]) -> str:
    """Return the results of the tries of a command, as text."""
    first, *others = tried.get("tries") or [None]
    told = [f"tried on {quote_text(tried['file'])}: {quote_text(first['result'])}"] if first else []
    return "; ".join([*told, *(f"`{one['command']}`: {quote_text(one['result'])}" for one in others)])


def search_tree(turn: TurnInput, trees: Trees) -> str:
    """Return the base's tree, reduced to the subtree if there is one."""
    subtree, tree = turn.settings.subtree, turn.base.tree
    return trees.overlay(EMPTY_TREE, tree, [subtree]) if subtree else tree


def nearest_test_files(turn: TurnInput, trees: Trees, found: dict[str, Any]) -> tuple[str, ...]:
    """Return the test files most closely related to the likeliest places."""
    functions = [(hit["path"], hit["name"]) for hit in found["functions"][:NEAR_PLACES]]
    files = [(hit["path"], "") for hit in found["files"][:3]]
    places = [place for place in (*functions, *files) if not is_test(place[0])]
    return nearest_tests(trees, search_tree(turn, trees), places, text_of(turn.issue), any_language=True)


def near_files(branch: Branch, found: dict[str, Any]) -> list[str]:
    """Return the nearest test files, those with printable names."""
    return [path for path in nearest_test_files(branch.turn, branch.engine.trees, found) if path.isprintable()]


def _test_files(branch: Branch) -> list[str]:
    files = branch.engine.trees.files(search_tree(branch.turn, branch.engine.trees))
    return [path for path in files if language_of(path) and is_test(path) and path.isprintable()]
