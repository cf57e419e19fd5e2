"""What a replay does with the settings of its run: instructions and hooks."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.config.hook_table import HookTable
from agent.config.settings import load_settings
from agent.engine.engine import Engine
from agent.runs.run_lookup import open_own_run
from extensions.replay.run_replay import RunReplay, begin_replay, replay_settings
from tests.agent.conftest import Bench, line
from tests.agent.run_state.test_run_settings import set_policy, without_instructions
from tests.extensions.hooks.conftest import MakeHook, asked, make_hook, rejecting, write_hooks
from tests.extensions.hooks.test_run_hooks import SOLVE, proof, run_to_end

__all__ = ["make_hook", "proof"]


@pytest.mark.parametrize("policy", ["", "instructions = true"])
def test_replay_of_run_of_an_earlier_version_reads_no_instructions(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    set_policy(bench.folder, monkeypatch, policy)
    material = open_own_run(bench.begin(line("x")))
    assert replay_settings(material, bench.settings, None).instructions
    material.trajectory.run = without_instructions(material.trajectory.run)
    settings = replay_settings(material, load_settings(state=bench.settings.state), None)
    assert not settings.instructions


@pytest.mark.slow
def test_replay_runs_no_hook_and_keeps_answers(
    bench: Bench, own_config: Path, make_hook: MakeHook, tmp_path: Path
) -> None:
    hook = make_hook(rejecting(tmp_path, "ran.txt", "no such files"))
    write_hooks(own_config, session_start=hook, pre_tool_use=hook, post_tool_use=hook, session_end=hook)
    other = make_hook(rejecting(tmp_path, "calc", "frozen"))
    own_config.write_text(f'{own_config.read_text()}\n[[hooks.patch]]\ncommand = ["{other}"]\n')
    bench.begin(*SOLVE, strategy="react")
    assert run_to_end(bench).exit.kind == "unproven"
    before = asked(tmp_path)
    material = open_own_run(bench.directory)
    used = replay_settings(material, bench.settings, None)
    assert used.hooks == HookTable()
    replay = RunReplay(Engine(begin_replay(material, used), used), material)
    try:
        list(replay.run())
    finally:
        replay.close()
    assert replay.engine.trajectory.exit.kind == "replayed"
    assert asked(tmp_path) == before
