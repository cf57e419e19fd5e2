"""Steps of a model in a set-up, run as real commands in a folder that stands for the container."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aci.environments.environment_plan import Command, EnvironmentOptions, FailedSetup, Plan, ProposeSteps
from aci.environments.environment_records import proposed_steps, record_of
from aci.repository.disk_cache import cache_folder
from extensions.environments import environment_build, setup_run
from extensions.environments.environment_build import Build
from extensions.environments.host_environment import HostSetup
from extensions.environments.setup_container import SetupResult
from extensions.environments.setup_question import MOST_STEPS, parse_steps
from extensions.environments.setup_run import MAX_PROPOSALS, SetupRun
from extensions.environments.smoke_check import SmokeResult
from trajectories.errors import WorkspaceError

BUILD = "test -f accepted && echo built > result || { echo 'accept the terms first'; exit 3; }"
PASSED, BROKEN = SmokeResult("1 passed", "pytest", 1, 1), SmokeResult("none", "pytest", 0, 0, 0, "no settings", True)


@dataclass(frozen=True)
class Folder:
    path: Path

    def write(self, path: str, data: bytes) -> None:
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).write_bytes(data)

    def run(
        self, command: str, env: Mapping[str, str], seconds: float, on_line: Callable[[str], None] = lambda line: None
    ) -> SetupResult:
        ran = subprocess.run(["sh", "-c", command], cwd=self.path, capture_output=True, text=True, timeout=20)
        return SetupResult(command, ran.returncode, ran.stdout + ran.stderr, 0.1, "too slow" in command)


@dataclass
class FolderSetup(SetupRun[Folder]):
    """A set-up in a folder. `tests` says what the tests come to."""

    tests: Callable[[Path], SmokeResult] = lambda path: PASSED
    restored: list[bool] = field(default_factory=list)

    def _session_variables(self, place: Folder) -> dict[str, str]:
        return {}

    def _run_tests(self, place: Folder, env: Mapping[str, str]) -> SmokeResult:
        return self.tests(place.path)

    def _restore_files(self, place: Folder) -> None:
        self.restored.append(True)


class Model:
    """A model that gives these answers, one after the other, and keeps what it is asked."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers, self.asked = list(answers), list[FailedSetup]()

    def __call__(self, failed: FailedSetup) -> Sequence[str]:
        self.asked.append(failed)
        return self.answers.pop(0) if self.answers else ()


@pytest.fixture
def set_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., FolderSetup]:
    monkeypatch.setattr(setup_run, "collect_test_imports", lambda *_: frozenset())

    def run(commands: Sequence[Command | str], propose: ProposeSteps | None, **more: Any) -> FolderSetup:
        setup = tuple(each if isinstance(each, Command) else Command(each, "") for each in commands)
        options: Any = SimpleNamespace(say=lambda line: None, trees=None, base=SimpleNamespace(tree=""))
        made = FolderSetup(Plan("", "img", "python", setup), options, EnvironmentOptions(propose=propose), **more)
        made._set_up(Folder(tmp_path), {})
        made._test_and_repair(Folder(tmp_path), {})
        return made

    return run


def test_model_repairs_what_no_rule_knows(set_up: Callable[..., FolderSetup], tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="accept the terms first"):
        set_up([BUILD], None)
    model = Model(["touch accepted", BUILD])
    made = set_up(["echo first", BUILD], model)
    assert (tmp_path / "result").read_text() == "built\n"
    assert made.proposed == ["touch accepted", BUILD]
    assert made.repairs == [f"steps of the model: touch accepted; {BUILD}"]
    assert made.restored
    (asked,) = model.asked
    assert (asked.image, asked.command, asked.failed) == ("img", BUILD, (BUILD,))
    assert asked.succeeded[-1] == "echo first"
    assert "accept the terms first" in asked.log


def test_model_is_asked_a_limited_number_of_times(set_up: Callable[..., FolderSetup]) -> None:
    model = Model(*([f"echo {number}", "exit 4"] for number in range(9)))
    with pytest.raises(WorkspaceError, match=r"exit code 3(.|\n)*accept the terms first"):
        set_up([BUILD], model)
    assert len(model.asked) == MAX_PROPOSALS
    assert model.asked[-1].succeeded[-2:] == ("echo 0", "echo 1")
    assert model.asked[-1].failed == (BUILD, "exit 4")
    assert model.asked[-1].command == "exit 4"


def test_model_is_not_asked_about_optional_and_slow_commands(set_up: Callable[..., FolderSetup]) -> None:
    model = Model(["true"], ["true"])
    set_up([Command(BUILD, "", optional=True)], model)
    with pytest.raises(WorkspaceError, match="did not end"):
        set_up(["false too slow"], model)
    assert model.asked == []


def test_host_that_cannot_be_reached_is_no_outage_for_steps_of_a_model(set_up: Callable[..., FolderSetup]) -> None:
    """Otherwise each resumed run would stop at the recorded answer."""
    model = Model(["echo 'ProxyError: evil.example' && exit 56"], ["touch accepted", BUILD])
    assert set_up([BUILD], model).proposed == ["touch accepted", BUILD]


def test_model_is_asked_if_no_test_can_run(set_up: Callable[..., FolderSetup]) -> None:
    model = Model(["touch settings"])
    made = set_up([], model, tests=lambda path: PASSED if (path / "settings").exists() else BROKEN)
    assert made.proposed == ["touch settings"]
    assert (model.asked[0].command, model.asked[0].log) == ("pytest", "no settings")
    some_pass = replace(BROKEN, passed=1)
    set_up([], model, tests=lambda path: some_pass)
    assert len(model.asked) == 1
    set_up([], model, tests=lambda path: replace(BROKEN, failed=2, ran=True))
    assert len(model.asked) == 1, "the runner works, so the set-up did not fail"


def test_model_is_asked_in_the_last_try_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan that can be built instead, and older packages, cost no request."""
    model = Model(*[["true"]] * 3)
    parts: Any = {"options": None, "settings": EnvironmentOptions(propose=model), "image": "", "daemon": None}
    failed = SetupResult("make", 1, "", 0.0)
    plan = Plan("", "img", "python")
    other = Build(replace(plan, instead=plan), **parts)
    monkeypatch.setattr(environment_build, "code_date", lambda *_: "a date")
    monkeypatch.setattr(environment_build, "chooses_versions", lambda *_: True)
    first = Build(plan, **parts)
    older = first._older_build()
    assert older
    assert [each._propose(failed) for each in (other, first, older)] == [(), (), ["true"]]


@pytest.mark.parametrize(("kind", "answer", "steps"), [("sandbox", False, 1), ("local", False, 0), ("local", True, 1)])
def test_steps_need_consent_without_isolation(kind: str, answer: bool, steps: int) -> None:
    asked: list[object] = []
    options: Any = SimpleNamespace(may_set_up=lambda *given: asked.append(given) or answer)
    place: Any = SimpleNamespace(workspace=SimpleNamespace(kind=kind))
    settings = EnvironmentOptions(propose=Model(["make"]))
    made = HostSetup(Plan("", "", "python"), options, settings, place=place)
    assert len(made._propose(SetupResult("make", 1, "", 0.0))) == steps
    assert asked == ([("", ["make"], ())] if kind == "local" else [])


def test_environment_with_steps_of_a_model_serves_no_other_commit() -> None:
    base = SimpleNamespace(changes=(), commit="c0")
    options: Any = SimpleNamespace(
        base=base, repository=SimpleNamespace(name="r"), image=f"e/{'0' * 24}:latest", environment=None
    )
    assert '"commit": "c0"' in record_of("s", options)
    record = record_of("s", options, proposed=["make"])
    assert '"commit": ""' in record
    assert proposed_steps(options) == ()
    (cache_folder() / "environments").mkdir(parents=True, exist_ok=True)
    (cache_folder() / "environments" / ("0" * 24)).write_text(record)
    assert proposed_steps(options) == ("make",)
    options.image = "python:3.11"
    assert proposed_steps(options) == ()


@pytest.mark.parametrize(
    ("answer", "steps"),
    [
        (
            "So:\n```sh\n# comment\napt-get install -y x\n\n  make \\\n -j2\n```\n",
            ("apt-get install -y x", "make   -j2"),
        ),
        ("Nothing helps.", ()),
        ("```\na\n```\n```\nb\n```\n", ()),
        ("```sh\necho \x1b[2J\n```", ()),
        ("```\n" + "a\n" * (MOST_STEPS + 1) + "```", ()),
        ("```\n" + "a" * 3000 + "\n```", ()),
    ],
)
def test_steps_of_an_answer(answer: str, steps: tuple[str, ...]) -> None:
    assert parse_steps(answer) == steps
