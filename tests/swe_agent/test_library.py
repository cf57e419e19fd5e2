"""`fix` and `start_fix`: results, events, errors, and that nothing stays open."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from aci.repository.user_repository import Repository
from agent.console import rich_terminal
from agent.lifecycle.run_lifecycle import reopen
from swe_agent import Issue, ProgressEvent, Step, SweAgentError, fix, load_settings, start_fix
from tests.conftest import IMAGE, MakeRepo, git
from tests.e2e.conftest import CALCULATOR, TEST_CORE, answer, call
from trajectories.errors import Cancelled
from trajectories.journal import read

ROOT = Path(__file__).parents[2]
EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "library.md").read_text("utf-8"), re.DOTALL)
WORK = (
    call("edit", path="tests/test_core.py", old="", new=TEST_CORE),
    call("edit", path="calc/core.py", old="return a - b", new="return a + b"),
    call("run_tests"),
    call("submit"),
)


@pytest.fixture
def calculator(make_repo: MakeRepo) -> Path:
    """A repository with a bug."""
    return make_repo(CALCULATOR)


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The user's model, which looks at a file, then writes a test and the fix."""
    script = tmp_path / "script.jsonl"
    look = answer("Look.", call("view", path="calc/core.py"), n=1)
    script.write_text("".join(json.dumps(reply) + "\n" for reply in (look, answer("Both.", *WORK))))
    monkeypatch.setenv("SWE_AGENT_MODEL", f"scripted:{script}")
    monkeypatch.setenv("SWE_AGENT_TEST", "python3 -m unittest")
    return f"scripted:{script}"


@pytest.mark.slow
def test_fix_returns_plausible_patch(calculator: Path, model: str) -> None:
    result = fix("add() subtracts", calculator, model=model, workspace="local")
    assert (result.verdict.kind, result.exit.code) == ("plausible", 6)
    assert result.verdict is result.exit.verdict
    assert "+    return a + b\n" in result.patch.diff
    assert git(calculator, "status", "--porcelain") == "", "without apply, the user's files do not change"
    git(calculator, "apply", str(result.directory / "patch.diff"))


@pytest.mark.slow
def test_run_yields_events_in_order_and_its_result(calculator: Path, model: str) -> None:
    with start_fix(Issue("add()"), calculator, model=model, strategy="react", workspace="local") as run:
        events = list(run)
        assert list(run) == [], "an event is read once"
    recorded = read(run.directory)
    assert [event for event in events if isinstance(event, Step)] == recorded.all_steps()
    asked, looked = ProgressEvent("ask", "main", "coder"), ProgressEvent("action", "main", "view calc/core.py")
    step = next(each for each in recorded.all_steps() if each.actions)
    assert events.index(asked) < events.index(looked) < events.index(step)
    assert run.result().exit == recorded.exit, "the result is there after the run is closed"


@pytest.mark.slow
def test_fix_starts_at_base_and_makes_branch(calculator: Path, model: str) -> None:
    (calculator / "calc/text.py").write_text("broken\n")
    result = fix("add()", calculator, "HEAD", model=model, workspace="local", branch="b", budget=0.1)
    assert git(calculator, "diff", "--name-only", "HEAD..b").split() == ["calc/core.py", "tests/test_core.py"]
    assert "broken" not in result.patch.diff
    assert (calculator / "calc/text.py").read_text() == "broken\n"


def test_run_closed_before_its_end_stops_and_can_be_resumed(calculator: Path, model: str) -> None:
    with start_fix("add()", calculator, model=model, strategy="react", workspace="local") as run:
        next(event for event in run if isinstance(event, Step))
        run.close()  # twice is once
    assert "fix" not in [thread.name for thread in threading.enumerate()]
    assert read(run.directory).exit is None
    with pytest.raises(Cancelled):
        run.result()
    with reopen(run.directory, load_settings().state) as engine:
        assert engine.resumed, "the lock is free"


def test_cloned_repository_prints_nothing(
    calculator: Path, model: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(rich_terminal, "SILENCE", 0.001)  # a command would report the clone before it is ready
    with start_fix("add()", calculator.as_uri(), model=model, strategy="react", workspace="local") as run:
        next(run)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("options", "message", "advice"),
    [
        ({"issue": " "}, "The issue is empty.", "Describe what goes wrong and what should happen."),
        ({"repo": "/nowhere"}, "There is no folder /nowhere.", "Give the path of a git repository."),
        ({"base": "v9"}, "There is no commit 'v9' in ", "Give a branch, tag or commit id."),
        ({"workspace": "vm"}, "Invalid value for --workspace: must be", "See `swe-agent fix --help`."),
        ({"apply": True, "branch": "b"}, "--apply and --branch were both given.", "Choose one."),
    ],
    ids=lambda value: str(value)[:20],
)
def test_unusable_input_is_error_with_advice(
    calculator: Path, model: str, monkeypatch: pytest.MonkeyPatch, options: dict[str, object], message: str, advice: str
) -> None:
    monkeypatch.chdir(calculator)
    with pytest.raises(SweAgentError) as caught:
        fix(**({"issue": "add()", "workspace": "local", "model": model} | options))  # type: ignore[arg-type]
    assert caught.value.message.startswith(message)
    assert caught.value.fix == advice
    assert caught.value.__notes__ == [advice], "a traceback shows the advice too"


def test_unknown_option_is_error_that_lists_the_options(calculator: Path) -> None:
    with pytest.raises(TypeError, match=r"no option 'wrkspace'; it has model, strategy, .*branch"):
        fix("add()", calculator, wrkspace="local")  # type: ignore[call-arg]


def test_settings_of_user_and_repository_apply(
    calculator: Path, model: str, own_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_config.write_text(f'model = "{model}"\nstrategy = "react"\npr = true\n')
    monkeypatch.delenv("SWE_AGENT_MODEL")
    monkeypatch.delenv("SWE_AGENT_TEST")
    (calculator / ".swe-agent.toml").write_text('test = "true"\n')
    monkeypatch.chdir(calculator)
    run = fix("add()", workspace="local", max_steps=1)
    assert (run.exit.kind, run.exit.code) == ("limit", 1)
    begun = read(run.directory).run
    assert begun
    assert begun.repository == str(Repository.open(calculator).root)
    assert {name: begun.settings[name] for name in ("test", "max_steps", "pr")} == {
        "test": "true",
        "max_steps": 1,
        "pr": False,
    }


def run_program(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program in which a resource that is not closed is an error."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("code", EXAMPLES, ids=["fix", "events", "errors", "steps"])
def test_example_of_guide_runs_and_leaves_nothing_open(calculator: Path, model: str, code: str) -> None:
    ended = run_program(code, calculator)
    assert (ended.returncode, ended.stderr) == (0, "")
    expected = re.findall(r"print\(.*\)  # (.+)", code)
    assert expected
    assert [line for line in expected if line not in ended.stdout.splitlines()] == []


@pytest.mark.slow
@pytest.mark.docker
def test_run_in_container_leaves_nothing_open(calculator: Path, model: str) -> None:
    ended = run_program(EXAMPLES[1].replace('workspace="local"', f'image="{IMAGE}"'), calculator)
    assert (ended.returncode, ended.stderr) == (0, "")


INTERRUPTED = """
import os, signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored below a shell in the background
from swe_agent import Step, start_fix
with start_fix("add() subtracts", workspace="local") as run:
    for event in run:
        os.kill(os.getpid(), signal.SIGINT)
"""


@pytest.mark.slow
def test_interrupt_closes_run(calculator: Path, model: str) -> None:
    ended = run_program(INTERRUPTED, calculator)
    assert ended.returncode == -signal.SIGINT
    assert ended.stderr.splitlines()[-1] == "KeyboardInterrupt"
    assert "Warning" not in ended.stderr
    assert "Exception ignored" not in ended.stderr
