"""Strategies that are graphs of phases. The cases, written before them:

1. `recall`: one of three memories misleads; the filter drops it, and the patch is right. With all of them it is wrong.
2. `spec`: a patch satisfies the issue's example and its own test; the reviewer says no, and the next one is right.
3. `team`: the tester says no, which sends the work back to the developer, in the same conversation.
4. A role that only reads changes nothing, and has no tools but its own.
5. A graph of the user's own; one that leads nowhere, asks for what there is not, or is no TOML, is refused in words.
6. A reviewer who is never content: what is verified is not called so, and it comes to an end.
7. `graph_query`: the class that lacks a method is found by the graph only; a query that is none is told so.
8. `flow`: mending one rule breaks another that held: an anchor puts it back, and says so; the next mend keeps both.
9. A model that is of no use.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.conversation.model_roles import roles_of
from agent.engine.run_lifecycle import STRATEGIES, load_prompts
from agent.phases.phase_graph import read_graph
from tests.agent.conftest import act, line
from tests.agent.strategies.conftest import SUBMIT, Solved, equal, mend, test_of
from trajectories.errors import ConfigError

GRAPHS = sorted(file.name.partition(".")[0].replace("_", "-") for file in STRATEGIES.glob("*.graph.txt"))
WEAK = test_of("weak", equal("add(2, 3)", 5), equal("add(4, 4)", 8))
TELLING = test_of("telling", equal("add(-2, 3)", 1), equal("add(2, -5)", -3))
WRONG, RIGHT = mend("abs(a) + abs(b)"), mend("a + b")
REWORKED = mend("a + b", "abs(a) + abs(b)")
TRY = act("shell", command="python3 -c 'import calc; print(calc.add(-1, -2))'")
MISLEADING = "In geometry sums are of lengths: take abs() of both."


def memories(misled: float) -> list[dict]:
    return [
        line("A sum was written as a difference.", branch="main/recall-1-1"),
        line(MISLEADING, branch="main/recall-1-2"),
        line("Signs were swapped.", branch="main/recall-1-3"),
        line("True and alike.\n0.9", branch="main/recall-1-weigh-1"),
        line(f"It sounds alike only.\n{misled}", branch="main/recall-1-weigh-2"),
        line("Likely.\n0.8", branch="main/recall-1-weigh-3"),
        line("Follow the memory about lengths.", branch="main/plan-1-1", contains=MISLEADING),
        line("Write a plus.", branch="main/plan-1-1"),
        line("So.", WEAK, WRONG, SUBMIT, branch="main/mend", contains="about lengths"),
        line("So.", TELLING, RIGHT, SUBMIT, branch="main/mend"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("misled", "sum"), [(0.2, -3), (0.9, 3)])
def test_memory_that_misleads_is_dropped(solved: Solved, misled: float, sum: int) -> None:
    ended = solved("recall", *memories(misled))
    assert (ended.kind, ended.answer("add(-1, -2)")) == ("verified", sum)
    scores = ended.notes("score")
    assert [note.partition(":")[0] for note in scores] == [
        "0.90, kept", f"{misled:.2f}, {'dropped' if misled < 0.7 else 'kept'}", "0.80, kept"
    ]  # fmt: skip
    assert ended.notes("phase") == ["recall", "plan", "mend", "prove"]
    planned = next(step for step in ended.steps if step.branch == "main/plan-1-1").observations[0].text
    assert "1. A sum was written as a difference.\n(weigher: True and alike.\n0.9)" in planned
    assert (MISLEADING in planned) == (misled > 0.7)


READS = (
    line("It adds, or should.", branch="main/intent"),
    line("add(-1, -2) is -3.", branch="main/generalise-1-1"),
)
FOR_THE_EXAMPLE = line("So.", WEAK, WRONG, SUBMIT, branch="main/mend", n=1)
MENDED = line("Ah.", TELLING, REWORKED, SUBMIT, branch="main/mend", n=2, contains="add(-1, -2) is 3 with it")


@pytest.mark.slow
def test_patch_for_example_only_is_sent_back_by_reviewer(solved: Solved) -> None:
    no = line("add(-1, -2) is 3 with it.\nno", branch="main/review-1-1")
    yes = line("It keeps the sign.\nyes", branch="main/review-2-1")
    ended = solved("spec", *READS, FOR_THE_EXAMPLE, MENDED, no, yes)
    assert (ended.kind, ended.answer("add(-1, -2)")) == ("verified", -3)
    assert [note[:16] for note in ended.notes("vote")] == ["reviewer says no", "reviewer says ye"]
    assert ended.notes("phase")[2:] == ["mend", "prove", "review", "mend 2", "prove 2", "review 2"]
    asked = next(step for step in ended.steps if step.branch == "main/review-1-1" and step.author == "task")
    assert "+    return abs(a) + abs(b)" in asked.observations[0].text
    assert "self.assertEqual(add(4, 4), 8)" in asked.observations[0].text
    assert solved("react", {**FOR_THE_EXAMPLE, "branch": "main"}).answer("add(-1, -2)") == 3


@pytest.mark.slow
def test_reviewer_who_is_never_content_is_heard(solved: Solved) -> None:
    again = line("Ah.", SUBMIT, branch="main/mend")
    ended = solved("spec", *READS, FOR_THE_EXAMPLE, again, line("I do not like it.\nNo."))
    assert (ended.kind, ended.result.exit.code) == ("unproven", 6)
    assert ended.result.exit.verdict.notes[0] == "The reviewer rejects it: I do not like it. No."
    assert ended.notes("phase").count("review 2") == 1


@pytest.mark.slow
def test_tester_sends_work_back(solved: Solved) -> None:
    lines = (
        line("calc.py:1 add.", branch="main/explore"),
        line("Mend add().", branch="main/plan-1-1"),
        line("So.", WEAK, WRONG, SUBMIT, branch="main/develop", n=1),
        line("Let me try.", TRY, n=1),
        line("add(-1, -2) gave 3.\nno", branch="main/test", n=2),
        line("Ah.", TELLING, REWORKED, SUBMIT, branch="main/develop", n=2, contains="add(-1, -2) gave 3."),
        line("Again.", TRY, branch="main/test", n=3),
        line("All right now.\nyes", branch="main/test", n=4),
    )
    ended = solved("team", *lines)
    assert (ended.kind, ended.answer("add(-1, -2)")) == ("verified", -3)
    assert ended.notes("phase") == ["explore", "plan", "develop", "prove", "test", "develop 2", "prove 2", "test 2"]
    tried = next(step for step in ended.steps if step.branch == "main/test" and step.reply == 1)
    assert tried.observations[0].text.startswith("3")
    again = next(step for step in ended.steps if step.branch == "main/test" and step.reply == 3)
    assert again.observations[0].text.startswith("-3")
    assert "Put back" not in again.observations[0].text
    told = [step.observations[0].text for step in ended.steps if step.branch == "main/develop" and step.reply is None]
    assert told[1].startswith("The tester says of the patch:\nadd(-1, -2) gave 3.\nno\n\nFix it")
    judged = [step.observations[0].text for step in ended.steps if step.branch == "main/test" and step.reply is None]
    assert "with earlier changes" in judged[0]
    assert "tests/test_weak.py" in judged[0]
    assert "+    return a + b" in judged[1]
    assert "tests/test_weak.py" not in judged[1]


@pytest.mark.slow
def test_what_tester_is_against_is_not_verified_where_steps_end(solved: Solved) -> None:
    lines = (
        line("calc.py:1 add.", branch="main/explore"),
        line("Mend add().", branch="main/plan-1-1"),
        line("So.", WEAK, WRONG, SUBMIT, branch="main/develop", n=1),
        line("add(-1, -2) gave 3.\nno", branch="main/test", n=1),
        line("Hm.", act("view", path="calc.py")),
    )
    ended = solved("team", *lines, max_steps=5)
    assert (ended.kind, ended.result.exit.code) != ("verified", 0)
    assert ended.result.exit.verdict.kind == "unproven"
    assert ended.result.exit.verdict.notes[0] == "The tester rejects it: add(-1, -2) gave 3. no"


@pytest.mark.slow
def test_who_reads_changes_nothing_and_has_no_other_tools(solved: Solved) -> None:
    lines = (
        line("I shall.", RIGHT, act("shell", command="rm calc.py"), branch="main/explore", n=1),
        line("calc.py:1 add.", branch="main/explore", n=2),
        line("Mend add().", branch="main/plan-1-1"),
        line("So.", TELLING, RIGHT, SUBMIT, branch="main/develop"),
        line("It deletes.", act("shell", command="rm calc.py"), branch="main/test", n=1),
        line("Fine.\nyes", branch="main/test", n=2),
    )
    ended = solved("team", *lines)
    assert (ended.kind, ended.answer("add(-1, -2)")) == ("verified", -3)
    refused = next(step for step in ended.steps if step.branch == "main/explore" and step.reply == 1)
    assert {seen.text for seen in refused.observations} == {"Not run: the tools here are view, search, symbols."}
    deleted = next(step for step in ended.steps if step.branch == "main/test" and step.reply == 1)
    assert "[Put back, since the tester may not change files" in deleted.observations[0].text


SHAPES = {
    "shapes/__init__.py": "",
    "shapes/base.py": "class Shape:\n    def area(self):\n        raise NotImplementedError\n",
    "shapes/flat.py": (
        "from shapes.base import Shape\n\n\nclass Flat(Shape):\n    pass\n\n\n"
        "class Square(Flat):\n    def area(self):\n        return 4\n"
    ),
    "shapes/round.py": "from shapes.flat import Flat\n\n\nclass Oval(Flat):\n    pass\n",
    "tests/__init__.py": "",
    "tests/test_square.py": (
        "import unittest\n\nfrom shapes.flat import Square\n\n\nclass SquareTest(unittest.TestCase):\n"
        "    def test_square(self):\n        self.assertEqual(Square().area(), 4)\n"
    ),
}
NO_AREA = "A shape has no area\n\nSome shape raises NotImplementedError in area(); it is to be 3."


@pytest.mark.slow
def test_graph_finds_what_words_do_not(solved: Solved) -> None:
    ask = '{"name": "Shape", "follow": "subclasses", "depth": 3, "lacks": "area"}'
    test = act(
        "edit",
        path="tests/test_oval.py",
        old="",
        new=SHAPES["tests/test_square.py"]
        .replace("flat import Square", "round import Oval")
        .replace("Square", "Oval")
        .replace("4)", "3)"),
    )
    mended = act("edit", path="shapes/round.py", old="    pass", new="    def area(self):\n        return 3")
    lines = (
        line("First this.\n" + ask.replace("lacks", "without"), branch="main/query-1", n=1),
        line(f"Then so: {ask}", branch="main/query-1", n=2, contains="Extra inputs are not permitted"),
        line("shapes/round.py:4 Oval", branch="main/query-1", n=3, contains="shapes/round.py:4 Oval"),
        line("shapes/round.py:4 Oval", branch="main/rank-1-1", contains="shapes/round.py:4 Oval"),
        line("So.", test, mended, SUBMIT, branch="main/mend", contains="shapes/round.py:4 Oval"),
        line("I do not know."),
    )
    ended = solved("graph-query", *lines, files=SHAPES, issue=NO_AREA, max_steps=20)
    assert ended.kind == "verified"
    told = [step.observations[0].text for step in ended.steps if step.author == "graph"]
    assert "class Oval(Flat)  (from Shape -> Flat)" in told[1]
    assert "Square" not in told[1]
    assert solved("react", *lines, files=SHAPES, issue=NO_AREA, max_steps=20).kind != "verified"


@pytest.mark.slow
def test_anchor_stops_what_breaks_again(solved: Solved) -> None:
    rules = act(
        "edit",
        path="tests/test_rules.py",
        old="",
        new="import unittest\n\nfrom calc import add\n\n\nclass RulesTest(unittest.TestCase):\n"
        f"    def test_easy(self):\n        {equal('add(2, 3)', 5)}\n\n"
        f"    def test_hard(self):\n        {equal('add(-2, 3)', 1)}\n",
    )
    breaks = mend("b - abs(a)", "abs(a) + abs(b)")
    lines = (
        line("Sums keep signs.", branch="main/reflect-1-1"),
        line("Write a plus.", branch="main/ways-1-1"),
        line("Tests.", rules, branch="main/tests", n=1),
        line("Both fail.", branch="main/tests", n=2),
        line("The easy one.", WRONG, SUBMIT, branch="main/mend", n=1),
        line("The hard one.", breaks, SUBMIT, branch="main/mend", n=2),
        line("Both.", REWORKED, SUBMIT, branch="main/mend", n=3, contains="passed before and no longer pass"),
        line("I do not know."),
    )
    ended = solved("flow", *lines)
    assert (ended.kind, ended.answer("add(-1, -2)")) == ("verified", -3)
    assert ended.notes("phase")[2:] == ["tests", "mend", "prove", "mend 2", "prove 2"]
    assert ended.notes("gate") == ["tests.test_rules.RulesTest.test_easy passed before: reverted"]


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
def test_graph_of_users_own(solved: Solved, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/team.graph.txt").write_text(GRAPH)
    lines = (
        line("A plus is missing.", branch="main/guess-1-1"),
        line("So.", TELLING, RIGHT, SUBMIT, branch="main/work", contains="They say: A plus is missing."),
    )
    ended = solved("team", *lines, prompts=tmp_path / "own")
    assert (ended.kind, ended.notes("phase")) == ("verified", ["guess", "work", "prove"])


def test_bad_graph_is_told_before_there_is_run(solved: Solved, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/team.graph.txt").write_text(GRAPH.replace('next = "work"', 'next = "wrok"'))
    with pytest.raises(ConfigError, match="The graph's phase guess leads to the unknown phase 'wrok'"):
        solved("team", line("Well."), prompts=tmp_path / "own")
    assert not list((tmp_path / "state").glob("runs/*"))


@pytest.mark.parametrize(
    ("text", "said"),
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
        ('[phase.a]\nasks = "words"\nnext = ""', "The graph's phase a leads to the unknown phase ''."),
        ('[phase.a]\nasks = "words"\ntools = ["view"]\nsamples = 2', "has samples and tools"),
        ('[phase.a]\nasks = "words"\nnext = "b"', "The graph's phase a leads to the unknown phase 'b'."),
    ],
)
def test_graph_that_is_none_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_graph(text, ("coder", "tester"))
    assert said in caught.value.message


@pytest.mark.parametrize("strategy", GRAPHS)
def test_who_does_no_work_is_not_told_to(strategy: str) -> None:
    prompts = load_prompts(strategy)
    for name, phase in read_graph(prompts["graph"], roles_of(strategy)).phase.items():
        for role in filter(None, [phase.role, phase.weigher]):
            assert phase.asks in ("work", "proof") or role in prompts, (name, role)


@pytest.mark.parametrize("strategy", GRAPHS)
def test_useless_model_comes_to_end(strategy: str, solved: Solved) -> None:
    ended = solved(strategy, line("Well."), max_steps=30)
    assert ended.result.exit.code == 1
    assert ended.result.spent.calls <= 30
