"""The `choose` strategy: several plausible edits without enough evidence, and the proof of the chosen one."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from aci.repository.user_repository import Repository
from agent.cli.command_line import run
from agent.config.settings import Settings
from agent.engine.engine import Engine
from agent.lifecycle.run_lifecycle import begin, reopen, solve
from agent.lifecycle.turn_lifecycle import next_turn
from extensions.repair.edit_choice import remaining_doubt, vote
from extensions.repair.offered_edits import apply_edit, explain_doubt, offered_edits, options, parse_choice
from trajectories.errors import Cancelled, UsageError
from trajectories.git_store.trees import EMPTY_TREE
from trajectories.records import Issue

SHOP = """\
def price(amount, discount):
    return amount + discount
"""
WEAK = """\
import unittest

from shop import price


class ShopTest(unittest.TestCase):
    def test_price(self):
        self.assertEqual(price(4, 2), 2)

    def test_name(self):
        self.assertEqual(price.__name__, "price")
"""
FILES = {"shop.py": SHOP, "tests/__init__.py": "", "tests/test_shop.py": WEAK, ".gitignore": "__pycache__/\n"}
COMMAND = "python -m unittest discover -s tests -t ."


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SWE_AGENT_STATE", str(tmp_path / "state"))
    monkeypatch.setattr("extensions.repair.template_search.SEARCH_SECONDS", 6.0)
    monkeypatch.setattr("extensions.repair.repair_search.RIVALS", (100, 200))
    return Settings(workspace="local", strategy="templates", test=COMMAND, state=tmp_path / "state")


def finish(engine: Engine):
    try:
        running = solve(engine)
        while True:
            try:
                next(running)
            except StopIteration as end:
                return end.value
    finally:
        engine.close()


@pytest.mark.slow
def test_doubtful_edit_is_plausible_only_after_choice(settings: Settings, make_repo) -> None:
    directory = begin(Issue("price() is wrong"), Repository.open(make_repo(FILES)), settings)
    result = finish(reopen(directory, settings.state))
    assert (result.exit.code, result.exit.kind) == (6, "unproven")
    assert result.exit.verdict.green
    assert result.exit.verdict.no_loss
    assert "only one failing input says what is correct" in result.exit.verdict.notes[0]
    assert "\nA: " in result.word
    assert "\nB: " in result.word
    assert "price(" in result.word
    assert "--choose B" in result.word

    engine = reopen(directory, settings.state)
    search_result = offered_edits(engine.trajectory)
    assert apply_edit(engine.trees, result.exit.tree, search_result, 0) == result.exit.tree
    with pytest.raises(UsageError, match="not one of A, B"):
        parse_choice(search_result, "Z")
    chosen_source = search_result["edits"][1]["new"].strip()
    engine.close()

    assert run(["resume", directory.name, "--choose", "b", "--plain"]) == 6
    resumed = reopen(directory, settings.state)
    chosen = finish(resumed)
    assert chosen.exit.verdict.complete
    assert chosen.exit.verdict.notes[0].startswith("You chose B of ")
    assert chosen_source in chosen.patch.source
    assert chosen.word.startswith("You chose B")


@pytest.mark.slow
def test_choice_is_refused_for_changed_file(settings: Settings, make_repo) -> None:
    directory = begin(Issue("price() is wrong"), Repository.open(make_repo(FILES)), settings)
    result = finish(reopen(directory, settings.state))
    engine = reopen(directory, settings.state)
    try:
        other = engine.trees.write({"shop.py": b"something else\n"}, result.exit.tree)
        removed = engine.trees.overlay(result.exit.tree, EMPTY_TREE, ["shop.py"])
        for tree in (other, removed):
            with pytest.raises(UsageError, match=r"shop\.py was changed"):
                apply_edit(engine.trees, tree, offered_edits(engine.trajectory), 1)
        next_turn(engine, "/choose A", "choose", settings)
        assert finish(engine).exit.verdict.complete
    finally:
        engine.close()


def test_edit_without_doubt_offers_no_choice() -> None:
    edit = {"path": "a.py", "line": 1, "function": "", "description": "take out `x`", "old": "x", "new": ""}
    search_result = {"edits": [edit, edit], "doubt": "", "telling": []}
    assert explain_doubt(search_result) == ""
    assert explain_doubt(search_result | {"edits": [edit], "doubt": "It has the value of a test in it."}).endswith(
        "test in it."
    )


def test_run_without_edits_has_nothing_to_choose(settings: Settings, make_repo) -> None:
    files = {**FILES, "shop.py": SHOP.replace("+", "-")}
    directory = begin(Issue("price() is wrong"), Repository.open(make_repo(files)), settings)
    finish(reopen(directory, settings.state))
    assert run(["resume", directory.name, "--choose", "B", "--plain"]) == 2


@pytest.mark.slow
def test_model_chooses_once_and_its_choice_is_proven(settings: Settings, make_repo, tmp_path: Path) -> None:
    script = tmp_path / "script.jsonl"
    script.write_text(
        json.dumps({"reply": {"text": "A discount is taken off.\n**A**"}, "contains": "Which edit is right?"})
    )
    settings = settings.model_copy(update={"model": f"scripted:{script}"})
    directory = begin(Issue("price() is wrong"), Repository.open(make_repo(FILES)), settings)
    result = finish(reopen(directory, settings.state))
    assert result.exit.verdict.complete
    assert result.exit.verdict.notes[0].startswith("A model chose A of ")
    assert "--choose" not in result.word
    script.write_text("")
    engine = reopen(directory, settings.state)
    assert [reply.text for reply in engine.trajectory.replies.values()] == ["A discount is taken off.\n**A**"]
    judge_steps = [step for step in engine.trajectory.all_steps() if step.author == "judge"]
    assert judge_steps[0].observations[0].text.endswith("The model takes A.")
    assert finish(engine) == result


@pytest.mark.slow
def test_interrupt_during_choice_is_not_answer_of_model(
    settings: Settings, make_repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "script.jsonl"
    script.write_text(json.dumps({"reply": {"text": "A"}}))
    settings = settings.model_copy(update={"model": f"scripted:{script}"})
    directory = begin(Issue("price() is wrong"), Repository.open(make_repo(FILES)), settings)
    engine = reopen(directory, settings.state)

    def interrupt(*_: object) -> None:
        engine.cancel.set()
        raise Cancelled("Interrupted.")

    with monkeypatch.context() as context:
        context.setattr("agent.models.scripted.Scripted.reply", interrupt)
        with pytest.raises(Cancelled):
            finish(engine)
    assert finish(reopen(directory, settings.state)).exit.verdict.notes[0].startswith("A model chose A of ")


def test_models_choice_keeps_doubt_about_special_cased_edit() -> None:
    edit = {"path": "a.py", "line": 1, "function": "", "description": "take out `x`", "special": ""}
    special = edit | {"special": "The edit has the value `23` of a failing test in it."}
    search_result = {"edits": [edit, special], "doubt": "Another edit passes the same tests."}
    assert [remaining_doubt(search_result, place) for place in (0, 1)] == ["", special["special"]]
    assert vote(search_result, 1) == "A model chose B of two that pass the tests."
    assert (
        options(search_result)[1]
        == "Take out `x` in `a.py`, line 1. The edit has the value `23` of a failing test in it."
    )
