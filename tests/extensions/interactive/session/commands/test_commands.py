"""Commands of a session: their messages, effects and refusals."""

import shutil

import pytest

from agent.config.model_table import ModelTable
from agent.config.settings import load_settings
from agent.engine.branch import ABANDONED
from agent.models.scripted import Scripted
from extensions.interactive.session import session_events
from extensions.interactive.session.session_events import FrontEndRequested
from extensions.interactive.session.session_start import session_settings
from tests.extensions.interactive.session.scripted_session import RecordedSession, calls, says
from trajectories.records import Once

LOOK = calls("view", path="a.py")
NEW = calls("edit", path="b.py", old="", new="def g():\n    return 2\n")


def test_help_lists_commands_and_keys(talk):
    talk = talk([]).say("/help")
    for part in ("/mode build|plan", "@path", "ctrl-s", "/quit", "/undo"):
        assert part in talk.all(FrontEndRequested)[-1].words
    assert talk.say("/help /locate").messages[-1].startswith("`/locate [--model] WORDS`: ")


@pytest.mark.parametrize("command", ["/quit", "/exit"])
def test_session_is_left(talk, command):
    assert "quit" in [event.what for event in talk([]).say(command).all(FrontEndRequested)]


@pytest.mark.parametrize("command", ["/quit", "/exit"])
def test_no_model_is_offered_to_user_who_leaves(make_repo, tmp_path, command):
    talk = RecordedSession(make_repo({"a.py": "x = 1\n"}), tmp_path / "state", [])
    talk.session.say(command)  # before the start-up checks, which offer models if none is set
    talk.session.open()
    try:
        talk.session.greeted(100)
    finally:
        talk.session.close()
    assert [event.what for event in talk.all(FrontEndRequested)] == ["quit"]


@pytest.mark.slow
def test_cost_is_shown_by_turn_and_sets_budget(talk):
    talk = talk([says("One.", n=1), says("Two.")], mode="plan")
    assert talk.say("/cost").messages[-1] == "Nothing has been spent yet. The budget is $2."
    talk.say("First question").say("Second question").say("/cost 7").say("/cost")
    assert "2 calls" in talk.messages[-1].splitlines()[0]
    assert "The budget is $7." in talk.messages[-1]
    assert "2. Second question: $0.0000, 1 call" in talk.messages[-1]
    talk.say("Third question")
    assert talk.session.engine.settings.budget == 7


@pytest.mark.slow
def test_number_of_tokens_applies_to_session(talk):
    talk = talk([says("One."), says("Two.")])
    assert talk.say("/cost 2,000,000 tokens").messages[-1] == "The session may now use 2,000,000 tokens in total."
    talk.say("First question").say("/cost 10 tokens").say("Second question")
    assert talk.session.engine.settings.max_tokens == 10
    assert [event.result.exit.kind for event in talk.all(session_events.TurnEnded)] == ["answered", "budget"]
    assert "/cost 2,000,000 tokens" in talk.say("/cost 0 tokens").messages[-1]


def test_model_reads_configuration_again(talk, tmp_path, monkeypatch):
    monkeypatch.setenv("SWE_AGENT_CONFIG", str(tmp_path / "config.toml"))
    talk = talk([says("One.")], reload=lambda: session_settings(load_settings()))
    model = talk.session.settings.model
    assert f"> {model} ($0 in, $0 out" in talk.say("/model").messages[-1]
    config = 'model = "openai/mine"\nmax_tokens = 5000\n'
    config += (
        '[models.scripted]\nprice_in = 3.0\nprice_out = 15.0\n[models."openai/mine"]\napi_base = "http://[::1]:9"\n'
    )
    (tmp_path / "config.toml").write_text(config)
    listed = talk.say("/model").messages[-1]
    assert f"> {model} ($3 in, $15 out" in listed
    assert "  openai/mine (price unknown)" in listed
    assert talk.session.settings.max_tokens == 5000
    (tmp_path / "config.toml").write_text("nonsense")
    assert "config.toml cannot be read" in talk.say("/model").messages[-1]
    assert talk.session.settings.model == model


def test_cost_without_price_states_limit_in_tokens(talk):
    table = ModelTable(api_base="http://127.0.0.1:9/v1")
    talk = talk([], settings={"model": "openai/mine", "models": {"openai/mine": table}})
    talk.say("/cost")
    limit = "No price is known for openai/mine, so the limit is 1,000,000 tokens."
    assert talk.messages[-1] == f"Nothing has been spent yet. {limit}"


@pytest.mark.parametrize("amount", ["much", "-1", "inf", "nan"])
def test_invalid_budget_is_refused(talk, amount):
    assert "is not an amount of dollars" in talk([]).say(f"/cost {amount}").messages[-1]


@pytest.mark.slow
def test_unavailable_model_is_not_selected(talk, tmp_path):
    talk = talk([says("One.")], mode="plan")
    before = talk.session.settings.model
    talk.say("/model scripted:/nowhere").say("/model nonsense-9")
    assert "/nowhere cannot be read" in talk.messages[-2]
    assert "nonsense-9" in talk.messages[-1]
    assert talk.session.settings.model == before
    other = tmp_path / "other.jsonl"
    other.write_text('{"reply": {"text": "From the other."}}\n')
    talk.say("Hi").say(f"/model scripted:{other}").say("Hi again")
    assert talk.replies == ["One.", "From the other."]
    assert before in talk.say("/model").messages[-1]
    [note] = [note for note in talk.session.engine.trajectory.notes if note.kind == "model"]
    assert note.data == {"from": before, "to": f"scripted:{other}", "why": ""}


@pytest.mark.slow
def test_switch_of_model_is_recorded_with_its_reason(talk, tmp_path):
    script = [says("One."), says("Three.")]
    talk = talk(script, mode="plan")
    first = talk.session.settings.model
    other = tmp_path / "other.jsonl"
    other.write_text('{"reply": {"text": "Two."}}\n')
    talk.say(f"/model {first} tried first").say("Hi")
    talk.say(f"/model scripted:{other} the first one is too slow").say("!true").say("Hi again")
    engine = talk.session.engine
    [note] = [note for note in engine.trajectory.notes if note.kind == "model"]
    assert note.text == f"from {first} to scripted:{other}: the first one is too slow"
    assert note.data == {"from": first, "to": f"scripted:{other}", "why": "the first one is too slow"}
    turn = engine.trajectory.turns[-1]
    assert turn.at <= note.at
    talk.say("/report " + str(tmp_path / "report.html"))
    assert "the first one is too slow" in (tmp_path / "report.html").read_text()
    talk.say(f"/model {first}").say("Hi")
    assert [note.data["why"] for note in engine.trajectory.notes if note.kind == "model"][1:] == [""]


@pytest.mark.slow
def test_strategies_are_listed_and_selected(talk):
    talk = talk([says("One.")])
    talk.say("/strategy")
    assert "> build: " in talk.messages[-1]
    assert "by-hand" not in talk.messages[-1]
    talk.say("/strategy test_then_patch")
    assert talk.session.status.strategy == "test-then-patch"
    talk.say("/mode plan")
    assert talk.session.status.strategy == "plan"
    talk.say("/strategy build")
    assert talk.session.status.strategy == "build"
    talk.say("/strategy magic")
    assert "no strategy named 'magic'" in talk.messages[-1]


def test_strategy_without_model_is_templates(talk):
    assert talk([]).session.status.strategy == "templates"


@pytest.mark.slow
def test_manual_commands_run_in_workspace(talk):
    talk = talk([])
    talk.say("!echo out && echo more > c.txt").say("!cat c.txt").say("/test")
    outputs = [step.step.observations[0].text for step in talk.all(session_events.StepRecorded)]
    assert outputs[0] == "out"
    assert outputs[1] == "more"
    assert "1 passed" in outputs[2]
    assert [(file.letter, file.path) for file in talk.session.status.files] == [("A", "c.txt")]


@pytest.mark.slow
def test_manual_command_can_be_interrupted(talk):
    talk = talk([])
    interrupted = []

    def interrupt_once(event):
        if isinstance(event, session_events.ProgressReported) and event.happening.kind == "action" and not interrupted:
            interrupted.append(True)
            talk.session.interrupt()

    talk.hooks.append(interrupt_once)
    talk.say("!sleep 300")
    assert talk.session.state == "idle"
    talk.say("!echo on")
    assert talk.all(session_events.StepRecorded)[-1].step.observations[0].text == "on"


@pytest.mark.slow
def test_fork_continues_and_original_run_is_unchanged(talk):
    talk = talk([says("One.", n=1), says("Two.", n=2)], mode="plan").say("First")
    old = talk.session.engine.run.id
    talk.say("/fork")
    new = talk.session.engine.run.id
    assert new != old
    assert talk.session.state == "idle"
    talk.say("Second")
    assert talk.replies == ["One.", "Two."]
    assert len(talk.session.engine.trajectory.turns) == 2
    talk.say(f"/resume {old}")
    assert talk.session.engine.run.id == old
    assert len(talk.session.engine.trajectory.turns) == 1


@pytest.mark.slow
def test_new_starts_new_run(talk):
    talk = talk([says("One.", n=1)], mode="plan").say("First")
    old = talk.session.engine.run.id
    talk.say("/new")
    assert talk.session.engine is None
    talk.say("Again")
    assert talk.replies == ["One.", "One."]
    assert talk.session.engine.run.id != old


@pytest.mark.slow
def test_untrusted_run_is_continued_as_copy_with_own_settings(talk, tmp_path) -> None:
    given: dict[str, str] = {}
    talk = talk([says("First.", n=1), says("Second.", n=2)], given=given).say("One?")
    old = talk.session.engine.journal.directory
    untrusted = tmp_path / "untrusted"
    shutil.copytree(old, untrusted)
    journal = untrusted / "journal.jsonl"
    journal.write_text(journal.read_text().replace('"disk":"10g"', '"disk":"900g"'))
    talk.say("/new").say(f"/resume {untrusted}")
    assert "without isolation" in str(talk.all(session_events.TurnStopped) + talk.all(session_events.MessageEvent))
    given["workspace"] = "local"
    talk.say(f"/resume {untrusted}").say("Two?")
    assert talk.replies == ["First.", "Second."]
    assert f"{untrusted} was not created by you on this computer" in "".join(talk.messages)
    engine = talk.session.engine
    assert engine.settings.disk == "10g"
    assert engine.journal.directory not in (old, untrusted)


def test_commands_without_run_say_that_nothing_exists_yet(talk):
    talk = talk([]).say("/fork").say("/compact").say("/prove").say("/resume nothing")
    assert talk.messages[-4:] == [
        "There is nothing to fork yet. Say what to do first.",
        "There is no conversation yet. Say what to do first.",
        "There are no changes yet. Say what to do first.",
        "There is no run named 'nothing'. `swe-agent runs` lists them.",
    ]


@pytest.mark.slow
def test_front_end_commands_are_requested_of_front_end(talk):
    talk = talk([says("Look.", LOOK, n=1), says("One.", n=2), says("Two.")], mode="plan")
    talk.say("/copy").say("First").say("Second")
    assert talk.messages[-1].startswith("There is no answer yet.")
    talk.say("/copy").say("/copy 2").say("/theme nord").say("/quit").say("/resume")
    assert [(event.what, event.words) for event in talk.all(session_events.FrontEndRequested)] == [
        ("copy", "Two."),
        ("copy", "One."),
        ("theme", "nord"),
        ("quit", ""),
        ("runs", ""),
    ]


@pytest.mark.slow
def test_copy_diff_requests_copy_of_diff(talk):
    talk = talk([says("New.", NEW, n=1), says("Done.")]).say("Add g")
    talk.say("/copy diff")
    assert "+def g():" in talk.all(session_events.FrontEndRequested)[-1].words
    status = talk.session.status
    assert [(file.letter, file.path, file.added, file.removed) for file in status.files] == [("A", "b.py", 2, 0)]
    assert status.branch == "main"
    assert status.base == "HEAD"


def test_locate_works_without_model(talk):
    talk = talk([]).say("/locate").say("/locate the function f in a.py")
    assert "There is nothing to search for" in talk.messages[-2]
    assert "a.py" in talk.messages[-1]


def test_locate_with_model_lists_the_places_of_its_answer(talk):
    talk = talk([says("#1: it is f")]).say("/locate --model the function f in a.py")
    [ended] = talk.all(session_events.TurnEnded)
    assert ended.result.exit.kind == "done"
    assert ended.result.word.startswith(" 1. a.py:1 f - it is f")
    locator = talk.session.engine.trajectory.steps["main/locator"]
    assert locator[0].observations[0].text.startswith("<issue>\nthe function f in a.py")
    assert "There is nothing to search for" in talk.say("/locate --model").messages[-1]


def test_locate_lists_classes_last(talk, make_repo):
    root = make_repo({"shapes.py": "class Shape:\n    corners = 4\n\n    def area(self):\n        return 4\n"})
    talk = talk([], root=root).say("/locate the corners of Shape")
    assert talk.messages[-1].split("\n")[-1].startswith("  - class shapes.py:1 Shape - ")


@pytest.mark.slow
def test_failed_prove_leaves_conversation_complete(talk):
    talk = talk([says("Hello.", n=1), says("In short: hello.", n=2), says("Yes.")], mode="plan")
    talk.say("Hi").say("/prove").say("/compact")
    engine = talk.session.engine
    assert [record.kind for record in engine.trajectory.records if record.type == "exit"][1] == "not_found"
    texts = [observation.text for step in engine.trajectory.steps["main"] for observation in step.observations]
    assert not any(ABANDONED in text for text in texts)


@pytest.mark.slow
def test_turn_of_command_has_its_arguments(talk):
    talk = talk([])
    talk.say("!echo x > c.txt").say("/test nowhere.py").say("/prove").say("/undo 2")
    assert [turn.request for turn in talk.session.engine.trajectory.turns[1:3]] == ["/test nowhere.py", "/prove"]
    assert [event.words for event in talk.all(session_events.TurnStarted)][1:3] == ["/test nowhere.py", "/prove"]
    assert talk.all(session_events.StepRecorded)[1].step.actions[0].arguments["nodes"] == ["nowhere.py"]


@pytest.mark.slow
def test_test_outside_the_repository_is_refused(talk):
    talk = talk([]).say("/test /etc/hosts").say("/test ../x.py")
    steps = [event.step for event in talk.all(session_events.StepRecorded)]
    assert [step.observations[0].text for step in steps] == [
        f"The test {path} is not in the repository.\nName tests by their paths relative to the repository's root."
        for path in ("/etc/hosts", "../x.py")
    ]


@pytest.mark.slow
def test_choose_without_search_is_refused(talk):
    assert "nothing to choose from yet" in talk([]).say("/choose B").messages[-1]
    talk = talk([says("One.")], mode="plan").say("Hi").say("/choose B")
    assert "There is nothing to choose from." in talk.messages[-1]
    assert len(talk.session.engine.trajectory.turns) == 1


def found_edit(new, description):
    edit = {"path": "a.py", "line": 2, "function": "f", "description": description, "special": ""}
    return {**edit, "old": "return 1", "new": new}


def with_search_result(talk, *edits):
    """Add a search result with these edits to the session; none is in its files."""
    talk.say("!true")
    engine = talk.session.engine
    result = {"tree": engine.run.base.tree, "edits": list(edits), "doubt": "", "telling": [["f()", ["2", "3"]]]}
    engine.journal.append(Once("main", "search", result))
    return talk


TWO, THREE = found_edit("return 2", "replace `1` by `2`"), found_edit("return 3", "replace `1` by `3`")


@pytest.mark.slow
def test_choose_without_argument_lists_edits_and_current_one(talk):
    talk = with_search_result(talk([]), TWO, THREE)
    lines = talk.say("/choose").messages[-1].splitlines()
    assert lines[:2] == [
        "A: Replace `1` by `2` in `f` (`a.py`, line 2).",
        "B: Replace `1` by `3` in `f` (`a.py`, line 2).",
    ]
    assert lines[-1] == "None of them is in the session's files now. `/choose A` chooses one and proves it."
    talk.say("!sed -i s/1/3/ a.py").say("/choose")
    assert talk.messages[-1].endswith("B is in the session's files now. `/choose A` chooses another and proves it.")
    talk.say("!echo '# else' >> a.py").say("/choose")
    assert "a.py was changed since the edits were found." in talk.messages[-1]
    assert not [message for message in talk.all(session_events.MessageEvent) if message.kind == "error"]


@pytest.mark.slow
def test_unknown_choice_is_reported_with_existing_choices(talk):
    one = with_search_result(talk([]), TWO)
    assert one.say("/choose B").messages[-1].startswith("There is no choice 'B': the only one is A. ")
    assert one.say("!sed -i s/1/2/ a.py").say("/choose").messages[-1].endswith("files now; there is no other edit.")
    two = with_search_result(talk([]), TWO, THREE)
    assert two.say("/choose C").messages[-1].startswith("There is no choice 'C': there are A and B. ")


def test_choose_without_edits_says_that_nothing_can_be_chosen(talk):
    talk = talk([]).say("/choose").say("!true").say("/choose")
    assert [(message.kind, message.text[:31]) for message in talk.all(session_events.MessageEvent)[-2:]] == [
        ("text", "There is nothing to choose from"),
        ("text", "There is nothing to choose from"),
    ]


@pytest.mark.slow
def test_end_of_turn_has_its_last_proof(talk):
    talk = talk([says("New.", NEW, n=1), says("Done.", n=2), says("Hello.")]).say("Add g").say("Hi")
    changed, answered = talk.all(session_events.TurnEnded)
    assert changed.proof.author == "proof"
    assert changed.proof.observations[0].data["asked"]["reproduces"] is False
    assert answered.proof is None


def test_undo_skips_command_without_effect(talk):
    talk = talk([]).say("!echo x > c.txt").say("/compact").say("/undo")
    assert talk.all(session_events.StepRecorded)[-1].step.observations[0].text == "Undone: “!echo x > c.txt”."
    assert not talk.session.status.files


@pytest.mark.parametrize("sees", [False, True])
def test_model_that_cannot_see_pictures_is_one_sentence(talk, tmp_path, monkeypatch, sees):
    monkeypatch.setattr(Scripted, "images", sees)
    talk = talk([says("One.")], mode="plan")
    (talk.session.start.source.root / "shot.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    talk.say("/paste")
    requests = [event.what for event in talk.all(FrontEndRequested)]
    talk.say("See shot.png")
    unseen = f"{talk.session.settings.model} cannot see pictures."
    assert requests == (["paste"] if sees else [])
    assert (f"{unseen} Choose another model: `/model NAME`." in talk.messages) != sees
    assert (f"{unseen} It only learns how many are attached." in talk.messages) != sees
