"""The hooks of one run: what each is given, and what its answer decides.

A hook accepts with exit code 0. It rejects with 2, and its stderr is the reason. A hook that fails or does not answer
in time has checked nothing, so this counts as a rejection too, which is not recorded. A hook cannot change anything
else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from agent.config.hook_table import Hook, HookEvent
from agent.engine.run_hooks import ANSWER, HookedBranch, HookedRun, RunHooks
from trajectories.errors import Cancelled, SweAgentError, UsageError
from trajectories.records import Once, record_time

if TYPE_CHECKING:
    from tools.base import Tool
    from trajectories.records import Action, Exit, Observation

VERSION = 1
"""The version of what hooks are given. Fields may be added without a new version."""
NOT_RUN = "Not run: a hook rejected this call: "
"""Prefix of the observation of a call that a hook rejected."""
OBJECTION = "[A hook objects to this result: {}]"
REJECTED = "A hook rejected the patch: {}"
MAIN = "main"


class ProgramHooks(RunHooks):
    """Runs the hooks of the settings for one run. Thread-safe.

    Answers that decide something are recorded, so that a resumed run does not ask again and a replay, which runs no
    hooks, gets them from the record.
    """

    def __init__(self, engine: HookedRun) -> None:
        super().__init__(engine)
        self._engine = engine
        self._has_started = False

    def start(self, resumed: bool, interrupted: Callable[[], bool]) -> None:
        if self._has_started:
            return
        if self._table.all:
            from extensions.hooks.hook_process import find_program, hook_environment

            environment = hook_environment(self._engine.secrets)
            for hook in self._table.all:
                find_program(hook.command, environment)
        reason, _ = self._ask("session_start", {"resumed": resumed}, interrupted)
        if reason:
            name = self._journal.directory.name
            raise UsageError(f"A hook rejected the run: {reason}", f"`swe-agent resume {name}` asks it again.")
        self._has_started = True

    def before_tool(self, branch: HookedBranch, tool: Tool, action: Action, step: int, number: int) -> str:
        call = _call(branch, tool, action)
        if call is None:
            return ""
        digest = sha256(json.dumps(call).encode()).hexdigest()[:16]  # an answer never applies to another call
        name = f"{ANSWER}pre_tool_use, step {step}, action {number}, call {digest}"
        reason = self._decide("pre_tool_use", branch.name, name, lambda: call, branch.cancel.is_set)
        return f"{NOT_RUN}{reason}" if reason else ""

    def after_tool(self, branch: HookedBranch, tool: Tool, action: Action, seen: Observation) -> Observation:
        call = _call(branch, tool, action)
        if call is None:
            return seen
        response = {"ok": seen.ok, "text": seen.text}
        reason, _ = self._ask("post_tool_use", call | {"tool_response": response}, branch.cancel.is_set)
        return replace(seen, text=f"{seen.text}\n{OBJECTION.format(reason)}") if reason else seen

    def reject_patch(self, tree: str, diff: Callable[[], str], interrupted: Callable[[], bool]) -> str:
        name = f"{ANSWER}patch, tree {tree}"
        reason = self._decide("patch", MAIN, name, lambda: {"tree": tree, "patch": diff()}, interrupted)
        return REJECTED.format(reason) if reason else ""

    def end(self, exit: Exit | None, interrupted: Callable[[], bool]) -> None:
        if not self._has_started:
            return
        self._has_started = False
        given = {
            "kind": exit.kind if exit else "open",
            "code": exit.code if exit else None,
            "verdict": exit.verdict.kind if exit else "none",
            "message": exit.message if exit else "",
        }
        try:
            self._ask("session_end", given, interrupted)
        except Cancelled:
            self._say("The hooks of the end were interrupted.")
        except SweAgentError as error:
            self._say(f"{error.message} {error.fix}")
        except OSError as error:
            self._say(f"The hooks of the end failed: {error.strerror or error}.")

    def _say(self, text: str) -> None:
        self._engine.report("say", MAIN, text)

    def _decide(
        self,
        event: HookEvent,
        branch: str,
        name: str,
        given: Callable[[], dict[str, Any]],
        interrupted: Callable[[], bool],
    ) -> str:
        """Return the recorded reason of this name, or else ask the hooks and record their answer.

        The reason of a hook that failed is not recorded, so that a resumed run asks again.
        """
        recorded = self._journal.trajectory.results.get((branch, name))
        if recorded is not None:
            return str(recorded.value)
        if not self._table.of(event):
            return ""
        reason, is_answer = self._ask(event, given(), interrupted)
        if is_answer:
            self._journal.append(Once(branch, name, reason))
        return reason

    def _ask(self, event: HookEvent, given: dict[str, Any], interrupted: Callable[[], bool]) -> tuple[str, bool]:
        """Run the hooks of an event in order until one rejects; return its reason, or "", and whether that is an answer
        and not a failure. Raises Cancelled."""
        hooks = self._table.of(event)
        if not hooks:
            return "", True
        from aci.observation.secret_masking import mask_secrets

        first = {"v": VERSION, "type": event, "at": record_time(), "run": self._journal.directory.name}
        told = first | {"repository": self._engine.run.repository} | given
        secrets = self._engine.secrets
        text = mask_secrets(json.dumps(told, ensure_ascii=False), secrets)
        for hook in hooks:
            reason, is_answer = self._answer(hook, text.encode("utf-8", "replace"), secrets, interrupted)
            if interrupted():
                raise Cancelled("Interrupted.", "Resume the run to continue.")
            if reason:
                self._say(f"The hook {hook.name} ({event}): {reason}")
                return reason, is_answer
        return "", True

    def _answer(
        self, hook: Hook, given: bytes, secrets: Sequence[str], interrupted: Callable[[], bool]
    ) -> tuple[str, bool]:
        """Run one hook; return why it rejects, or "", and whether it answered."""
        from aci.observation.secret_masking import mask_secrets
        from aci.observation.untrusted_text import clean_output
        from extensions.hooks.hook_process import hook_environment, run_hook

        ended = run_hook(hook.command, given, hook_environment(secrets), hook.timeout, interrupted)
        self._journal.check_unchanged()
        said = mask_secrets(clean_output(ended.stderr), secrets).strip()
        if ended.problem:
            return f"{hook.name} gave no answer: {ended.problem}.", False
        if ended.code == 0:
            return "", True
        if ended.code == 2:
            return said or f"{hook.name} gave no reason.", True
        how = f"signal {-ended.code}" if ended.code < 0 else f"exit code {ended.code}"
        return f"{hook.name} failed with {how}. {said}".strip(), False


def _call(branch: HookedBranch, tool: Tool, action: Action) -> dict[str, Any] | None:
    """Return the input of hooks about a call: the tool's own name, and its arguments as it takes them, however the
    model wrote them. None if the tool itself rejects the arguments."""
    try:
        return {"branch": branch.name, "tool_name": tool.name, "tool_input": tool.arguments(action.arguments)}
    except UsageError:
        return None
