"""Parts of subcommands that are in an extension: a sentence says which one is missing."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from aci.environments.environment_plan import EnvironmentOptions
from aci.proof import experiments, repository_checks, run_audit
from aci.runtime.process_channel import terminal_programs
from aci.runtime.workspace import open_workspace
from agent.cli.commands import fix, prove, resume
from agent.config.settings import Settings
from agent.conversation.model_roles import check_examiner
from agent.engine.page_proof import NOT_INSTALLED as NOT_COMPARED
from agent.engine.page_proof import PageCheck
from agent.engine.tool_context import has_browser
from agent.lifecycle.run_lifecycle import NOT_INSTALLED, _with_examiner
from agent.models.base import load_model
from agent.run_state.attempt_outcome import Outcome
from agent.run_state.strategy_traits import strategy_of
from extensions.code_search.commands import graph
from extensions.environments.environment_sources import plan_environment
from extensions.interactive.session.commands import choose, export, remember, report
from extensions.report import run_report
from tests.aci.conftest import RIGHT
from tests.agent.conftest import line
from tests.agent.strategies.conftest import SUBMIT, edit_calc, equal, new_test
from trajectories import importers, plugins
from trajectories.errors import UsageError
from trajectories.records import Issue
from trajectories.verdict import Verdict

SESSION = SimpleNamespace(engine=None, trajectory=None)
CI = "https://github.com/octo/calc/actions/runs/1"
USES = {
    "a trajectory of another program": ("lab", lambda: importers.load(Path("a.traj"))),
    "/choose": ("repair", lambda: choose.run(SESSION, "A")),
    "/export": ("lab", lambda: export.run(SESSION, "")),
    "/remember": ("memory", lambda: remember.run(SESSION, "x")),
    "/report": ("report", lambda: report.run(SESSION, "")),
    "fix --ci": ("github", lambda: fix.command(ci=CI)),
    "a terminal": ("terminal_programs", terminal_programs),
    "prove --bundle": ("bundles", lambda: prove.command(bundle=Path("proof.tar"))),
    "prove --check": ("bundles", lambda: prove.command(check=Path("proof.tar"))),
    "prove --independent": ("examiner", lambda: check_examiner(Settings(model="scripted:x"))),
    "--events": ("events", lambda: fix.command(events="x.jsonl")),
    "--model replay:RUN": ("replay", lambda: load_model("replay:x", Settings())),
    "--workspace sandbox": ("sandbox", lambda: open_workspace("sandbox", SESSION)),
    "a report of two runs": ("replay", lambda: run_report._parting(SESSION, SESSION)),
    "resume --choose": ("repair", lambda: resume._solve_chosen(SESSION, SESSION, "A")),
    "graph --html": ("report", lambda: graph.command("add", html=Path("page.html"))),
}

FRONT_END = SimpleNamespace(
    turn=SimpleNamespace(
        settings=SimpleNamespace(needs_browser=True, workspace="docker"), base=SimpleNamespace(tree="")
    ),
    once=lambda key, find: find(),
)
"""A branch of a repository with pages."""


ROOT = Path(__file__).parents[2]
ASKS = re.compile(r"(?:extension_module|installed_module|extension_packages)\(\s*\"([\w.]+)\"")


def test_each_kind_that_the_code_asks_for_is_in_a_table_and_the_other_way_round() -> None:
    packages = ("swe_agent", "agent", "aci", "tools", "trajectories", "extensions")
    files = (file for package in packages for file in (ROOT / package).rglob("*.py"))
    texts = [
        file.read_text("utf-8")
        for file in files
        if file.parent.parent != ROOT / "extensions" or file.stem != "__init__"
    ]
    offered = {kind for name in plugins.extension_names() for kind in plugins.extension_table(name)}
    assert {kind for text in texts for kind in ASKS.findall(text)} <= offered
    assert [kind for kind in offered if not any(f'"{kind}"' in text for text in texts)] == []


@pytest.mark.parametrize(("extension", "use"), USES.values(), ids=USES)
def test_missing_extension_is_named(extension: str, use: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "extension_names", lambda: ())
    with pytest.raises(UsageError, match=f"is in the extension {extension}, which is not installed"):
        use()


def test_extension_requires_what_its_extensions_require(monkeypatch: pytest.MonkeyPatch) -> None:
    requires = {"repair": ("experiment",), "experiment": ("replay",), "replay": ()}
    modules = {f"{plugins.EXTENSIONS}.{name}": SimpleNamespace(REQUIRES=all_) for name, all_ in requires.items()}
    monkeypatch.setattr(plugins, "import_module", modules.get)
    monkeypatch.setattr(plugins, "_extension_folders", lambda: ("experiment", "repair"))
    assert plugins.extension_names.__wrapped__() == ()
    assert "requires the extension replay" in plugins.missing_extension("`swe-agent x`", "repair").message


def test_missing_extension_offers_no_format(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "extension_names", lambda: ())
    assert export.completions(SESSION, "") == []


def test_proof_of_pages_has_a_doubt_without_the_extension(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "extension_names", lambda: ())
    found = PageCheck(FRONT_END, "", "", "")(Verdict())
    assert (found.doubt, found.compared) == (NOT_COMPARED, "")
    assert not has_browser(FRONT_END)


@pytest.mark.slow
@pytest.mark.parametrize("reproduces", [True, False])
def test_proof_has_a_doubt_without_experiments(prove_patch, reproduces: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "extension_names", lambda: ())
    verdict = prove_patch({"shop/price.py": RIGHT}, reproduces=reproduces)
    assert (verdict.kind, bool(verdict.no_loss)) == ("unproven", reproduces)
    assert experiments.NOT_INSTALLED in verdict.facts


def test_notes_say_that_run_was_not_audited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "extension_names", lambda: ())
    assert run_audit.missing_audit() == (run_audit.NOT_INSTALLED,)
    assert run_audit.find_injections((), Issue("", ""), str) == ()


def test_repository_checks_are_named_as_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "extension_names", lambda: ())
    (result,) = repository_checks.run_checks(FRONT_END, FRONT_END, FRONT_END)
    assert (result.line, result.found) == (repository_checks.NOT_INSTALLED, ())


def test_environment_without_extension_has_no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = EnvironmentOptions(images={"python": "py"}, browser=True)
    assert plan_environment({}, settings).browser
    monkeypatch.setattr(plugins, "extension_names", lambda: ())
    plan = plan_environment({}, settings)
    assert (plan.browser, dict(plan.variables)) == ("", {})
    assert plan.reasons[-1].endswith("but the extension pages is not installed.")


def test_without_the_examiner_a_patch_that_it_would_judge_is_unproven(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "extension_names", lambda: ())
    verified = Verdict(red=True, green=True, red_again=True, no_loss=True, kind="verified", evidence="earlier tests")
    turn = SimpleNamespace(issue=Issue("add() subtracts", ""), strategy="react")
    branch = SimpleNamespace(turn=turn, engine=SimpleNamespace(settings=Settings(model="scripted:x", independent=True)))

    def repair():
        yield "step"
        return Outcome("tree", verified, "")

    steps = _with_examiner(branch, repair())
    assert next(steps) == "step"
    with pytest.raises(StopIteration) as ended:
        next(steps)
    verdict = ended.value.value.verdict
    assert (verdict.kind, verdict.evidence) == ("unproven", "")
    assert verdict.notes == (NOT_INSTALLED,)


def test_run_without_model_names_the_missing_repair(monkeypatch: pytest.MonkeyPatch) -> None:
    assert strategy_of(Settings()) == "templates"
    monkeypatch.setattr(plugins, "extension_names", lambda: ())
    with pytest.raises(UsageError, match="Repair without a model is in the extension repair, which is not installed"):
        strategy_of(Settings())
    assert strategy_of(Settings(strategy="react")) == "react"


@pytest.mark.slow
def test_missing_extension_costs_no_further_round(run_strategy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script has one reply: a second request to the model would fail."""
    monkeypatch.setattr(plugins, "extension_names", lambda: ())
    run = run_strategy(
        "test-then-patch", line("Fix.", new_test("add", equal("add(2, 3)", 5)), edit_calc("a + b"), SUBMIT, n=1)
    )
    assert (run.kind, run.result.exit.message) == ("unproven", "")
    assert experiments.NOT_INSTALLED in run.result.exit.verdict.facts
