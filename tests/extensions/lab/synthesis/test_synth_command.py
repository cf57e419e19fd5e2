"""`swe-agent synth`: what the user gets wrong, and its output."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import ClassVar
from unittest.mock import Mock

import pytest

from agent.config.environment_options import environment_options
from agent.config.settings import Settings
from extensions.lab.commands import synth
from extensions.lab.synthesis import synthesis_job
from extensions.lab.synthesis.synthesis_job import SynthesisResult
from extensions.lab.synthesis.validation_executor import WORKSPACE_SETTINGS
from tests.conftest import MakeRepo
from trajectories.errors import Cancelled, UsageError

OPTIONS = {"count": 3, "seed": 0, "base": "HEAD", "workers": 1, "difficulty": "quick", "workspace": "local"}


def run(repo: Path, out: Path, **options: object) -> int:
    return synth.command(str(repo), out, **{"kinds": "plant", "plain": True, **OPTIONS, **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kinds": " , "}, "--kinds names no kind"),
        ({"difficulty": "hard"}, "--difficulty 'hard' is unknown"),
        ({"base": "nowhere"}, "There is no commit 'nowhere'"),
        ({"kinds": "plant,magic"}, "There is no kind of task named 'magic'"),
        ({"kinds": "plant,rewrite"}, "The kind rewrite needs a model"),
        ({"engine": "moon"}, "There is no engine named 'moon'"),
        ({"engine": "local", "engine_option": ["cpus=2"]}, "The engine local has no options"),
        ({"engine_option": ["cpus"]}, "--engine-option 'cpus' is not an option"),
    ],
)
def test_wrong_options_are_named_before_tests_run(
    make_repo: MakeRepo, tmp_path: Path, options: dict, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        run(make_repo({"a.py": "x = 1\n"}), tmp_path / "tasks.jsonl", **options)
    assert not (tmp_path / "tasks.jsonl").exists()


def test_executor_gets_settings_of_a_workspace_only(
    make_repo: MakeRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Mock(return_value=SynthesisResult(1))
    monkeypatch.setattr(synthesis_job, "synthesize", found)
    config = tmp_path / "config.toml"
    config.write_text('model = "openai/x"\n[models."openai/x"]\napi_base = "http://ada:secret@127.0.0.1:1"\n')
    monkeypatch.setenv("SWE_AGENT_CONFIG", str(config))
    assert run(make_repo({"a.py": "x = 1\n"}), tmp_path / "tasks.jsonl", test="pytest -q") == 0
    given = found.call_args.kwargs["settings"]
    assert (given["workspace"], given["test"]) == ("local", "pytest -q")
    assert given.keys() == WORKSPACE_SETTINGS
    assert "secret" not in json.dumps(given)
    assert not {name for name in given if "model" in name or "key" in name}


def test_executor_gets_all_settings_of_environments() -> None:
    class Reads(Mock):
        names: ClassVar[set[str]] = set()

        def __getattribute__(self, name: str) -> object:
            if name in Settings.model_fields:
                Reads.names.add(name)
            return super().__getattribute__(name)

    environment_options(Reads())
    assert "test" in Reads.names
    assert Reads.names - WORKSPACE_SETTINGS == set()


@pytest.mark.parametrize(("instances", "code"), [(2, 0), (0, 1)])
def test_output_counts_results_of_each_operator(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture, instances: int, code: int
) -> None:
    found = SynthesisResult(instances, {"plant dropped_guard": Counter(valid=2, passed=1)})
    monkeypatch.setattr(synth, "_synthesize", lambda *args: found)
    out = tmp_path / "tasks.jsonl"
    assert run(tmp_path, out, json=True) == code
    tried = {"plant dropped_guard": {"valid": 2, "passed": 1}}
    assert json.loads(capsys.readouterr().out) == {"out": str(out), "instances": instances, "tried": tried}
    assert run(tmp_path, out) == code
    shown = capsys.readouterr().out
    assert f"has {instances} of 3 instances." in shown
    assert "plant dropped_guard: 2 valid, 1 passed" in shown


def test_path_is_checked_first(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"does not end in \.jsonl"):
        run(tmp_path / "no repository", tmp_path / "tasks.bundle")


def test_interrupted_command_says_how_to_continue(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(synth, "_synthesize", Mock(side_effect=Cancelled("Interrupted.", "Resume the run.")))
    with pytest.raises(Cancelled) as raised:
        run(tmp_path, tmp_path / "tasks.jsonl")
    assert raised.value.fix == "Run the same command again to continue."
