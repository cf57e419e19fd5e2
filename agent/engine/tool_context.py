"""The context of a tool call, from the state of the branch that makes it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from agent.conversation.model_roles import SENIOR
from agent.engine.user_choices import AskingBranch, ask_user, may_ask
from agent.run_state.strategy_traits import is_conversational
from tools.base import Context, HelperReport
from trajectories.plugins import installed_module

if TYPE_CHECKING:
    from aci.runtime.workspace import Workspace
    from agent.run_state.turn_state import TurnInput
    from tools._metadata import Need
    from trajectories.git_store.trees import Trees
    from trajectories.records import Action, Observation, Step


LARGE = 2_000
"""Number of files above which helpers are offered for a repair."""
_FRONT_ENDS: dict[str, bool] = {}
"""Whether a tree has pages, by its id."""


class Helpers(Protocol):
    """The helpers to which a branch may delegate tasks."""

    def offer(self, schemas: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]: ...
    def run(self, number: int, task: str, changes: bool, agent: str = "") -> HelperReport: ...
    def ask_senior(self, number: int, question: str) -> HelperReport: ...
    def take_steps(self) -> Sequence[Step]: ...


class CallingBranch(AskingBranch, Protocol):
    """The parts of a branch that the context of its tool calls depends on."""

    tree: str
    turn: TurnInput
    by_hand: bool
    role: str
    needs_test: bool
    phase_start: int
    delegation: Helpers | None

    @property
    def engine(self) -> Any: ...
    @property
    def workspace(self) -> Workspace: ...
    def notify(self, text: str) -> None: ...
    def show_output(self, output: bytes) -> None: ...


def tool_context(branch: CallingBranch, before: Sequence[tuple[Action, Observation]]) -> Context:
    """Return the context of an action that follows the actions `before` of the same reply."""
    engine, number = branch.engine, len(before)
    return Context(
        workspace=branch.workspace,
        trees=engine.trees,
        base=branch.turn.base,
        tree=branch.tree,
        steps=branch.steps,
        keep=engine.journal.keep,
        recall=engine.journal.recall,
        test_command=branch.turn.settings.test,
        notify=branch.notify,
        show_output=branch.show_output,
        start=branch.start,
        secrets=engine.secrets,
        before=before,
        phase=branch.phase_start,
        subtree="" if branch.by_hand else branch.turn.settings.subtree,
        needs_test=branch.needs_test and engine.has_steps_left,
        may_run=branch.turn.settings.workspace != "local" or bool(engine.may_test),
        instructions=engine.base_instructions.files,
        sees_images=lambda: bool(engine.models.of_role(branch.role).images),
        ask_user=partial(ask_user, branch, number) if may_ask(branch) else None,
        delegate=partial(branch.delegation.run, number) if branch.delegation else None,
        ask_senior=partial(branch.delegation.ask_senior, number) if branch.delegation else None,
    )


def offered_tools(branch: CallingBranch, only_known: bool = False) -> tuple[dict[str, Any], ...]:
    """Return the schemas of the tools that the branch's model is offered, before its scope limits them. With
    `only_known`, the workspace is not opened to look for a browser."""
    engine, toolbox = branch.engine, branch.engine.toolbox
    is_conversation = is_conversational(branch.turn.strategy)
    needs: dict[Need, bool] = {
        "conversation": is_conversation,
        "user": may_ask(branch),
        "helpers": branch.delegation is not None and (is_conversation or _is_large(branch)),
        "senior": branch.delegation is not None and SENIOR in engine.settings.roles,
        "browser": not only_known and has_browser(branch),
    }
    # A run of an earlier version has recorded tools that are offered in conversations only.
    recorded = {schema["function"]["name"] for schema in engine.run.tools}
    more = [schema for need, is_met in needs.items() if is_met for schema in toolbox.schemas_with(need)]
    more = [schema for schema in more if schema["function"]["name"] not in recorded]
    more = list(branch.delegation.offer(more)) if branch.delegation else more
    return (*engine.run.tools, *more, *engine.servers.schemas())


def _is_large(branch: CallingBranch) -> bool:
    """Return whether the repository is so large that exploring it may fill a conversation."""
    return len(branch.engine.trees.files(branch.turn.base.tree)) > LARGE


def has_browser(branch: CallingBranch) -> bool:
    """Return whether the repository has a front end, and the workspace a browser for it, which an extension finds.

    The answer is recorded, since a resumed run offers the same tools."""
    if branch.turn.settings.workspace == "local" or not has_front_end(branch):
        return False

    def find() -> bool:
        pages = installed_module("agent.engine.page_proof")
        return pages is not None and pages.has_browser(branch.workspace)

    return bool(branch.once("browser", find))


def has_front_end(branch: CallingBranch) -> bool:
    """Return whether the repository has pages, by the settings or by its files."""
    asked = branch.turn.settings.needs_browser
    tree = branch.turn.base.tree
    if asked is None and tree not in _FRONT_ENDS:
        _FRONT_ENDS[tree] = _has_front_end(branch.engine.trees, tree)
    return _FRONT_ENDS[tree] if asked is None else asked


def _has_front_end(trees: Trees, tree: str) -> bool:
    from aci.environments.front_end import has_front_end
    from aci.environments.tree_files import TreeFiles

    return has_front_end(TreeFiles(trees, tree))
