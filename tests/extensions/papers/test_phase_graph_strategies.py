"""Strategies that are graphs of phases: memories, reviews, read-only roles, code graph queries, users' own graphs."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.conversation.model_roles import roles_of
from agent.engine.strategy_prompts import load_prompts
from extensions.papers import strategies
from extensions.papers.graph_file import check_graph, read_graphs
from extensions.papers.graph_sql.graph_database import SCHEMA
from tests.agent.conftest import act, line
from tests.agent.strategies.conftest import SUBMIT, RunStrategy, edit_calc, equal, new_test
from tests.conftest import IMAGE
from trajectories.errors import ConfigError

GRAPHS = sorted(
    {file.name.partition(".")[0].replace("_", "-") for file in Path(strategies.__path__[0]).glob("*.graph.txt")}
)
WEAK = new_test("weak", equal("add(2, 3)", 5), equal("add(4, 4)", 8))
STRONG = new_test("telling", equal("add(-2, 3)", 1), equal("add(2, -5)", -3))
WRONG, RIGHT = edit_calc("abs(a) + abs(b)"), edit_calc("a + b")
REWORKED = edit_calc("a + b", "abs(a) + abs(b)")
TRY = act("shell", command="python3 -c 'import calc; print(calc.add(-1, -2))'")
MISLEADING = "In geometry sums are of lengths: take abs() of both."


def memories(misleading_score: float) -> list[dict]:
    return [
        line("A sum was written as a difference.", branch="main/recall-1-1"),
        line(MISLEADING, branch="main/recall-1-2"),
        line("Signs were swapped.", branch="main/recall-1-3"),
        line("True and alike.\n0.9", branch="main/recall-1-weigh-1"),
        line(f"It sounds alike only.\n{misleading_score}", branch="main/recall-1-weigh-2"),
        line("Likely.\n0.8", branch="main/recall-1-weigh-3"),
        line("Follow the memory about lengths.", branch="main/plan-1-1", contains=MISLEADING),
        line("Write a plus.", branch="main/plan-1-1"),
        line("So.", WEAK, WRONG, SUBMIT, branch="main/fix", contains="about lengths"),
        line("So.", STRONG, RIGHT, SUBMIT, branch="main/fix"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("misleading_score", "sum"), [(0.2, -3), (0.9, 3)])
def test_misleading_memory_is_dropped(run_strategy: RunStrategy, misleading_score: float, sum: int) -> None:
    run = run_strategy("recall", *memories(misleading_score))
    assert (run.kind, run.evaluate("add(-1, -2)")) == ("plausible", sum)
    scores = run.notes("score")
    assert [note.partition(":")[0] for note in scores] == [
        "0.90, kept", f"{misleading_score:.2f}, {'dropped' if misleading_score < 0.7 else 'kept'}", "0.80, kept"
    ]  # fmt: skip
    assert run.notes("phase") == ["recall", "plan", "fix", "prove"]
    plan_prompt = next(step for step in run.steps if step.branch == "main/plan-1-1").observations[0].text
    assert "1. A sum was written as a difference.\n(weigher: True and alike.\n0.9)" in plan_prompt
    assert (MISLEADING in plan_prompt) == (misleading_score > 0.7)


CODE = "```python\ndef add(a, b):\n    return abs(a) + abs(b)\n\nassert add(-1, -2) == -3, 'lengths'\n```"
WITH_CODE = [
    line("Signs were swapped: a minus for a plus.", branch="main/recall-1-1"),
    line(f"{MISLEADING}\n{CODE}", branch="main/recall-1-2"),
    line("I remember none.", branch="main/recall-1-3"),
    line("It fails as it was run.\n0.1", branch="main/recall-1-weigh-2", contains="AssertionError: lengths\n[exit"),
    *memories(0.9)[3:],
]


@pytest.mark.slow
@pytest.mark.docker
@pytest.mark.parametrize(("workspace", "sum"), [("docker", -3), ("local", 3)])
def test_recalled_code_that_fails_is_dropped(run_strategy: RunStrategy, workspace: str, sum: int) -> None:
    test = "python3 -m unittest discover -s tests -t ."
    run = run_strategy("recall", *WITH_CODE, workspace=workspace, image=IMAGE, test=test)
    assert (run.kind, run.evaluate("add(-1, -2)")) == ("plausible", sum)
    weighed = [step for step in run.steps if "weigh" in step.branch and step.author == "task"]
    shown = ["Its code was run here" in step.observations[0].text for step in weighed]
    assert sorted(shown) == [False, False, workspace != "local"]


READS = (
    line("It adds, or should.", branch="main/intent"),
    line("add(-1, -2) is -3.", branch="main/generalise-1-1"),
)
EXAMPLE_ONLY = line("So.", WEAK, WRONG, SUBMIT, branch="main/fix", n=1)
CORRECTED = line("Ah.", STRONG, REWORKED, SUBMIT, branch="main/fix", n=2, contains="add(-1, -2) is 3 with it")


@pytest.mark.slow
def test_reviewer_rejects_patch_for_example_only(run_strategy: RunStrategy) -> None:
    no = line("add(-1, -2) is 3 with it.\nno", branch="main/review-1-1")
    yes = line("It keeps the sign.\nyes", branch="main/review-2-1")
    run = run_strategy("spec", *READS, EXAMPLE_ONLY, CORRECTED, no, yes)
    assert (run.kind, run.evaluate("add(-1, -2)")) == ("plausible", -3)
    assert [note[:16] for note in run.notes("vote")] == ["reviewer says no", "reviewer says ye"]
    assert run.notes("phase")[2:] == ["fix", "prove", "review", "fix 2", "prove 2", "review 2"]
    review_step = next(step for step in run.steps if step.branch == "main/review-1-1" and step.author == "task")
    assert "+    return abs(a) + abs(b)" in review_step.observations[0].text
    assert "self.assertEqual(add(4, 4), 8)" in review_step.observations[0].text
    assert run_strategy("react", {**EXAMPLE_ONLY, "branch": "main"}).evaluate("add(-1, -2)") == 3


@pytest.mark.slow
def test_patch_that_reviewer_always_rejects_is_unproven(run_strategy: RunStrategy) -> None:
    second_try = line("Ah.", SUBMIT, branch="main/fix")
    run = run_strategy("spec", *READS, EXAMPLE_ONLY, second_try, line("It is not acceptable.\nNo."))
    assert (run.kind, run.result.exit.code) == ("unproven", 6)
    assert run.result.exit.verdict.notes[0] == "The reviewer rejects it: It is not acceptable. No."
    assert run.notes("phase").count("review 2") == 1


@pytest.mark.slow
@pytest.mark.parametrize("answer", ["", "  \n", "no reply"])
def test_reviewer_without_answer_is_no_judgement(run_strategy: RunStrategy, answer: str) -> None:
    silent = [] if answer == "no reply" else [line(answer, branch="main/review-1-1")]
    fixed = line("So.", STRONG, RIGHT, SUBMIT, branch="main/fix")
    run = run_strategy("spec", *READS, fixed, *silent)
    said = "The reviewer gave no answer, so it did not judge the patch."
    assert run.notes("vote") == [said]
    assert (run.kind, run.result.exit.verdict.notes[0]) == ("plausible", said)


@pytest.mark.slow
def test_missing_answer_does_not_withdraw_an_objection(run_strategy: RunStrategy) -> None:
    fixed = line("So.", STRONG, RIGHT, SUBMIT, branch="main/fix", n=1)
    unchanged = line("It is right.", SUBMIT, branch="main/fix", n=2)
    answers = line("Not good.\nno", branch="main/review-1-1"), line("", branch="main/review-2-1")
    run = run_strategy("spec", *READS, fixed, unchanged, *answers)
    said = "The reviewer gave no answer, so it did not judge the patch."
    assert run.notes("vote")[1] == said
    assert run.result.exit.verdict.kind == "unproven"
    assert run.result.exit.verdict.notes[:2] == (said, "The reviewer rejects it: Not good. no")


TWO_JUDGES = """
[phase.fix]
asks = "work"
prompt = "Fix it."
next = "prove"
[phase.prove]
asks = "proof"
next = "first"
[phase.first]
asks = "judgement"
role = "reviewer"
prompt = "Is it right?"
next = "second"
[phase.second]
asks = "judgement"
role = "analyst"
prompt = "Is it complete?"
"""
SILENT, REJECTED = "The {} gave no answer, so it did not judge the patch.", "The reviewer rejects it: Bad. no"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("first", "second", "kind", "notes"),
    [
        ("", "Fine.\nyes", "plausible", (SILENT.format("reviewer"),)),
        ("Fine.\nyes", "", "plausible", (SILENT.format("analyst"),)),
        ("", "", "plausible", (SILENT.format("reviewer"), SILENT.format("analyst"))),
        ("Bad.\nno", "Fine.\nyes", "unproven", (REJECTED,)),
        ("Bad.\nno", "", "unproven", (SILENT.format("analyst"), REJECTED)),
        ("Bad.\nno", "Worse.\nno", "unproven", (REJECTED, "The analyst rejects it: Worse. no")),
    ],
)
def test_each_judge_of_a_patch_counts(
    run_strategy: RunStrategy, tmp_path: Path, first: str, second: str, kind: str, notes: tuple[str, ...]
) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/spec.graph.txt").write_text(TWO_JUDGES)
    fixed = line("So.", STRONG, RIGHT, SUBMIT, branch="main/fix")
    answers = line(first, branch="main/first-1-1"), line(second, branch="main/second-1-1")
    run = run_strategy("spec", fixed, *answers, prompts=tmp_path / "own")
    verdict = run.result.exit.verdict
    assert (verdict.kind, verdict.notes[: len(notes)]) == (kind, notes)
    assert not [note for note in verdict.notes[len(notes) :] if "judge" in note or "rejects" in note]


@pytest.mark.slow
def test_later_answer_of_a_judge_replaces_its_missing_one(run_strategy: RunStrategy) -> None:
    fixed = line("So.", STRONG, RIGHT, SUBMIT, branch="main/fix", n=1)
    unchanged = line("It is right.", SUBMIT, branch="main/fix", n=2)
    answers = line("Not good.\nno", branch="main/review-1-1"), line("It is right.\nyes", branch="main/review-2-1")
    run = run_strategy("spec", *READS, fixed, unchanged, *answers)
    assert (run.kind, [note for note in run.result.exit.verdict.notes if "reviewer" in note]) == ("plausible", [])


@pytest.mark.slow
def test_tester_sends_work_back(run_strategy: RunStrategy) -> None:
    lines = (
        line("calc.py:1 add.", branch="main/explore"),
        line("Fix add().", branch="main/plan-1-1"),
        line("So.", WEAK, WRONG, SUBMIT, branch="main/develop", n=1),
        line("Let me try.", TRY, n=1),
        line("add(-1, -2) gave 3.\nno", branch="main/test", n=2),
        line("Ah.", STRONG, REWORKED, SUBMIT, branch="main/develop", n=2, contains="add(-1, -2) gave 3."),
        line("Again.", TRY, branch="main/test", n=3),
        line("All right now.\nyes", branch="main/test", n=4),
    )
    run = run_strategy("team", *lines)
    assert (run.kind, run.evaluate("add(-1, -2)")) == ("plausible", -3)
    assert run.notes("phase")[2:] == ["parts", "develop", "prove", "test", "develop 2", "prove 2", "test 2"]
    first_test = next(step for step in run.steps if step.branch == "main/test" and step.reply == 1)
    assert first_test.observations[0].text.startswith("3")
    second_test = next(step for step in run.steps if step.branch == "main/test" and step.reply == 3)
    assert second_test.observations[0].text.startswith("-3")
    assert "[Restored, since" not in second_test.observations[0].text
    developer_prompts = [
        step.observations[0].text for step in run.steps if step.branch == "main/develop" and step.reply is None
    ]
    assert developer_prompts[1].startswith("Review by the tester:\nadd(-1, -2) gave 3.\nno\n\nFix it")
    tester_prompts = [
        step.observations[0].text for step in run.steps if step.branch == "main/test" and step.reply is None
    ]
    assert "with earlier changes" in tester_prompts[0]
    assert "tests/test_weak.py" in tester_prompts[0]
    assert "+    return a + b" in tester_prompts[1]
    assert "tests/test_weak.py" not in tester_prompts[1]


@pytest.mark.slow
def test_rejected_patch_is_unproven_at_step_limit(run_strategy: RunStrategy) -> None:
    lines = (
        line("calc.py:1 add.", branch="main/explore"),
        line("Fix add().", branch="main/plan-1-1"),
        line("So.", WEAK, WRONG, SUBMIT, branch="main/develop", n=1),
        line("add(-1, -2) gave 3.\nno", branch="main/test", n=1),
        line("Hm.", act("view", path="calc.py")),
    )
    run = run_strategy("team", *lines, max_steps=5)
    assert not run.result.exit.verdict.complete
    assert run.result.exit.verdict.kind == "unproven"
    assert run.result.exit.verdict.notes[0] == "The tester rejects it: add(-1, -2) gave 3. no"


@pytest.mark.slow
def test_read_only_role_cannot_change_files(run_strategy: RunStrategy) -> None:
    lines = (
        line("I shall.", RIGHT, act("shell", command="rm calc.py"), branch="main/explore", n=1),
        line("calc.py:1 add.", branch="main/explore", n=2),
        line("Fix add().", branch="main/plan-1-1"),
        line("So.", STRONG, RIGHT, SUBMIT, branch="main/develop"),
        line("It deletes.", act("shell", command="rm calc.py"), branch="main/test", n=1),
        line("Fine.\nyes", branch="main/test", n=2),
    )
    run = run_strategy("team", *lines)
    assert (run.kind, run.evaluate("add(-1, -2)")) == ("plausible", -3)
    refused = next(step for step in run.steps if step.branch == "main/explore" and step.reply == 1)
    assert {observation.text for observation in refused.observations} == {
        "Not run: the tools here are view, search, symbols."
    }
    deleted = next(step for step in run.steps if step.branch == "main/test" and step.reply == 1)
    assert "[Restored, since the tester may not change files" in deleted.observations[0].text


SHAPES = {
    "shapes/__init__.py": "",
    "shapes/base.py": "class Shape:\n    def area(self):\n        raise NotImplementedError\n",
    "shapes/flat.py": (
        "from shapes.base import Shape\n\n\nclass Flat(Shape):\n    pass\n\n\n"
        "class Square(Flat):\n    def area(self):\n        return 4\n"
    ),
    "shapes/round.py": "from shapes.flat import Flat\n\n\nclass Oval(Flat):\n    pass\n",
    "shapes/page.py": "from shapes.round import Oval\n\n\ndef draw():\n    return Oval()\n",
    "tests/__init__.py": "",
    "tests/test_square.py": (
        "import unittest\n\nfrom shapes.flat import Square\n\n\nclass SquareTest(unittest.TestCase):\n"
        "    def test_square(self):\n        self.assertEqual(Square().area(), 4)\n"
    ),
}
AREA_ISSUE = "A shape has no area\n\nSome shape raises NotImplementedError in area(); it is to be 3."


SEARCH = "search: subclasses of Shape whose users are tested, without `area`"
WITHOUT_AREA = (
    "SELECT s.path, s.line, s.full_name FROM symbols s JOIN ancestors ON class = s.id "
    "JOIN symbols shape ON shape.id = ancestor AND shape.name = 'Shape' WHERE NOT EXISTS "
    "(SELECT 1 FROM symbols m WHERE m.owner = s.id AND m.name = 'area') "
    "AND EXISTS (SELECT 1 FROM refs JOIN symbols u ON u.id = source WHERE target = s.id AND u.name = 'draw')"
)
OVAL_TEST = act(
    "edit",
    path="tests/test_oval.py",
    old="",
    new=SHAPES["tests/test_square.py"]
    .replace("flat import Square", "round import Oval")
    .replace("Square", "Oval")
    .replace("4)", "3)"),
)
OVAL_FIX = act("edit", path="shapes/round.py", old="    pass", new="    def area(self):\n        return 3")
SEARCH_LINES = (
    line(f"First this.\n{SEARCH}", branch="main/query-1", n=1),
    line(f"```sql\n{WITHOUT_AREA.replace('symbols s ', 'symbol s ')}\n```", branch="main/query-1/sql-1-1"),
    line(f"```sql\n{WITHOUT_AREA}\n```", branch="main/query-1/sql-1-1-again", contains="no such table: symbol"),
    line("shapes/round.py:4 Oval", branch="main/query-1", n=2, contains="shapes/round.py | 4 | Oval"),
    line("shapes/round.py:4 Oval", branch="main/rank-1-1", contains="shapes/round.py:4 Oval"),
    line("So.", OVAL_TEST, OVAL_FIX, SUBMIT, branch="main/fix", contains="shapes/round.py:4 Oval"),
    line("I do not know."),
)


@pytest.mark.slow
def test_search_that_joins_relations_finds_class(run_strategy: RunStrategy) -> None:
    run = run_strategy("graph-query", *SEARCH_LINES, files=SHAPES, issue=AREA_ISSUE, max_steps=20)
    assert run.kind == "plausible"
    [result] = [step.observations[0].text for step in run.steps if step.author == "graph"]
    assert f"{SEARCH}\n{WITHOUT_AREA}\n\npath | line | full_name\nshapes/round.py | 4 | Oval\n" in result
    assert "Square" not in result
    assert "Flat |" not in result
    translator = next(step for step in run.steps if step.branch == "main/query-1/sql-1-1").observations[0].text
    assert SCHEMA in translator
    assert not run_strategy(
        "react", *SEARCH_LINES, files=SHAPES, issue=AREA_ISSUE, max_steps=20
    ).result.exit.verdict.complete


@pytest.mark.slow
def test_fix_that_breaks_earlier_fix_is_reverted(run_strategy: RunStrategy) -> None:
    rules = act(
        "edit",
        path="tests/test_rules.py",
        old="",
        new="import unittest\n\nfrom calc import add\n\n\nclass RulesTest(unittest.TestCase):\n"
        f"    def test_easy(self):\n        {equal('add(2, 3)', 5)}\n\n"
        f"    def test_hard(self):\n        {equal('add(-2, 3)', 1)}\n",
    )
    breaking = edit_calc("b - abs(a)", "abs(a) + abs(b)")
    lines = (
        line("Vectors: add each sign.", branch="main/retrieve-1-1"),
        line("Sums keep signs.", branch="main/reflect-1-1"),
        line("Write a plus.", branch="main/solutions-1-1"),
        line("Tests.", rules, branch="main/tests", n=1),
        line("Both fail.", branch="main/tests", n=2),
        line("The easy one.", WRONG, SUBMIT, branch="main/fix", n=1),
        line("The hard one.", breaking, SUBMIT, branch="main/fix", n=2),
        line("Both.", REWORKED, SUBMIT, branch="main/fix", n=3, contains="passed before and fail now"),
        line("I do not know."),
    )
    run = run_strategy("flow", *lines)
    assert (run.kind, run.evaluate("add(-1, -2)")) == ("plausible", -3)
    assert run.notes("phase")[3:] == ["tests", "fix", "prove", "fix 2", "prove 2"]
    assert run.notes("gate") == ["tests.test_rules.RulesTest.test_easy passed before: reverted"]


@pytest.mark.slow
def test_recalled_plan_decides_on_solution(run_strategy: RunStrategy) -> None:
    lines = (
        line("Vectors: the signs count.", branch="main/retrieve-1-1"),
        line("Sums.", branch="main/reflect-1-1"),
        line("Write a plus.", branch="main/solutions-1-1", contains="Vectors: the signs count."),
        line("Add the lengths.", branch="main/solutions-1-1"),
        line("None.", branch="main/tests"),
        line("So.", STRONG, RIGHT, SUBMIT, branch="main/fix", contains="Write a plus."),
        line("So.", WEAK, WRONG, SUBMIT),
    )
    run = run_strategy("flow", *lines)
    assert (run.kind, run.evaluate("add(-1, -2)")) == ("plausible", -3)
    assert run_strategy("react", *lines).evaluate("add(-1, -2)") == 3


GRAPH = """
[phase.guess]
asks = "words"
prompt = "$issue What is it?"
next = "work"
[phase.work]
asks = "work"
prompt = "They say: $guess"
next = "prove"
[phase.prove]
asks = "proof"
failed = "work"
visits = 2
"""


@pytest.mark.slow
def test_users_own_graph_is_used(run_strategy: RunStrategy, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/team.graph.txt").write_text(GRAPH)
    lines = (
        line("A plus is missing.", branch="main/guess-1-1"),
        line("So.", STRONG, RIGHT, SUBMIT, branch="main/work", contains="They say: A plus is missing."),
    )
    run = run_strategy("team", *lines, prompts=tmp_path / "own")
    assert (run.kind, run.notes("phase")) == ("plausible", ["guess", "work", "prove"])
    assert not run.trajectory.steps["main/choose-graph"], "a graph without `when` is used for every issue"


def test_invalid_graph_is_refused_before_run_starts(run_strategy: RunStrategy, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/team.graph.txt").write_text(GRAPH.replace('next = "work"', 'next = "wrok"'))
    with pytest.raises(ConfigError, match="The graph's phase guess leads to the unknown phase 'wrok'"):
        run_strategy("team", line("Well."), prompts=tmp_path / "own")
    assert not list((tmp_path / "state").glob("runs/*"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[phase", "The graph is not valid TOML"),
        ("", "The graph's phase is not valid: Field required."),
        ("[phase]", "The graph's phase is not valid"),
        ('[phase.a]\nasks = "money"', "The graph's phase.a.asks is not valid"),
        ('[phase.a]\nasks = "words"\nthen = "b"', "The graph's phase.a.then is not valid: Extra inputs"),
        ('[phase."a b"]\nasks = "words"', "The graph's phase.a b"),
        ('[phase.proof]\nasks = "words"', "A phase of a graph cannot be named proof"),
        ('[phase.end]\nasks = "words"', "A phase of a graph cannot be named end"),
        ('[phase.patch]\nasks = "words"', "A phase of a graph cannot be named patch"),
        ('[phase.a]\nasks = "words"\nrole = "user"', "The graph's phase a has the unknown role 'user'."),
        ('[phase.a]\nasks = "work"\ntools = ["veiw"]', "The graph's phase a has the unknown tool 'veiw'."),
        ('[phase.a]\nasks = "parts"', "The graph's phase a needs both"),
        ('[phase.a]\nasks = "parts"\nof = "b"', "phase a takes its parts from what is no phase in words, 'b'."),
        ('[phase.a]\nasks = "fusion"\nof = ["b"]', "The graph's phase a fuses the unknown phase 'b'."),
        ('[phase.a]\nasks = "words"\nnext = ""', "The graph's phase a leads to the unknown phase ''."),
        ('[phase.a]\nasks = "words"\ntools = ["view"]\nsamples = 2', "has samples and tools"),
        ('[phase.a]\nasks = "words"\nnext = "b"', "The graph's phase a leads to the unknown phase 'b'."),
        ('[phase.a]\nasks = "words"\n[phase.b]\nasks = "words"', "No phase of the graph leads to b."),
        ('[phase.a]\nasks = "judgement"\nnext = "a"\nfailed = "a"', "The graph's phase a does not lead to the end."),
    ],
)
def test_invalid_graph_is_refused(text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as error:
        check_graph({"graph": text}, ("coder", "tester"))
    assert expected in error.value.message


@pytest.mark.parametrize("strategy", GRAPHS)
def test_roles_without_work_have_own_prompts(strategy: str) -> None:
    prompts = load_prompts(strategy)
    graphs = read_graphs(prompts, roles_of(strategy)).values()
    for name, phase in (item for graph in graphs for item in graph.phase.items()):
        for role in filter(None, [phase.role, phase.weigher]):
            assert phase.asks in ("work", "parts", "proof") or role in prompts, (name, role)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", GRAPHS)
def test_run_with_useless_model_ends(strategy: str, run_strategy: RunStrategy) -> None:
    run = run_strategy(strategy, line("Well."), max_steps=30)
    assert run.result.exit.code == 1
    assert run.result.spent.calls <= 30
