"""The memory of runs: the user's notes and the experience bank, in the user's state folder."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from agent.conversation.model_roles import LESSON_WRITER
from agent.engine.run_memory import RunMemory
from extensions.memory.experience_prompt import past_runs_prompt
from extensions.memory.memory_prompt import memory_prompt, new_memory_prompt

if TYPE_CHECKING:
    from agent.engine.branch import Branch
    from agent.engine.engine import Engine
    from agent.run_state.attempt_outcome import Outcome
    from trajectories.records import Exit, Step


class StoredMemory(RunMemory):
    def notes(self, branch: Branch) -> str:
        return memory_prompt(branch)

    def new_notes(self, branch: Branch) -> str:
        return new_memory_prompt(branch)

    def past_runs(self, branch: Branch, places: dict[str, Any]) -> str:
        return past_runs_prompt(branch, places)

    def lessons(self, branch: Branch, name: str, change: str = "") -> str:
        from extensions.memory.lesson_prompt import lessons_prompt

        return lessons_prompt(branch, name, change)

    def write_lesson(self, branch: Branch, outcome: Outcome) -> Generator[Step, None, None]:
        if LESSON_WRITER in branch.engine.trajectory.turns[-1].models:
            from extensions.memory.lesson_writer import write_lesson

            yield from write_lesson(branch, outcome)

    def store_lessons(self, engine: Engine, coming: Exit) -> None:
        from extensions.memory.run_lessons import store_lessons

        store_lessons(engine, coming)
