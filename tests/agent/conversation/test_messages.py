"""What a model is sent: whole conversations, folds that pay, folds that must be, and bounds that hold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.conversation.compaction import AGE, IMAGE_TOKENS, LONG, VIEW_AGE
from agent.conversation.messages import ModelRequest, Reader, input_bound, messages, size
from agent.conversation.observation_stubs import words
from agent.models.base import Message
from trajectories.errors import ModelError
from trajectories.records import Action, Observation, Reply, Step, Usage

MODEL = "m"
ISSUE = "The issue: add() subtracts.\n" + "It matters. " * 60
READER = Reader(MODEL)
BODY = "".join(f"{n}\tdef f{n}(x):\n" for n in range(1, 200))


class Talk:
    """A branch that a test writes call by call."""

    def __init__(self, issue: str = ISSUE) -> None:
        self.steps: list[Step] = []
        self.replies: dict[tuple[str, int], Reply] = {}
        self.hear(issue, "task")

    def hear(self, text: str, author: str = "user") -> None:
        self._step(author, None, (), (Observation(text),))

    def call(self, *done: tuple[Action, Observation], text: str = "", usage: Usage | None = None, **reply: Any) -> None:
        number = len(self.replies) + 1
        actions = tuple(action for action, _ in done)
        seen = tuple(observation for _, observation in done) or (Observation("Nothing happened.", ok=False),)
        said = Reply(text, actions, usage=usage, branch="main", ask=number, **{"model": MODEL} | reply)
        self.replies["main", number] = said
        self._step("coder", number, actions, seen)

    def _step(self, author: str, reply: int | None, actions: tuple[Action, ...], seen: tuple[Observation, ...]) -> None:
        self.steps.append(Step("main", len(self.steps) + 1, "", author, "t", reply, actions, seen, at=0.0))

    def said(self, reader: Reader = READER, limits: Sequence[tuple[int, int]] = (), **more: Any) -> ModelRequest:
        return messages("You fix issues.", self.steps, self.replies, reader, limits, **more)

    def asks(self, reader: Reader = READER, limits: Sequence[tuple[int, int]] = ()) -> list[ModelRequest]:
        """What each ask sent, up to the next one."""
        ends = [index for index, step in enumerate(self.steps) if step.reply] + [len(self.steps)]
        sent = []
        for number, end in enumerate(ends, 1):
            known = [limit for limit in limits if limit[0] <= number]
            sent.append(messages("You fix issues.", self.steps[:end], self.replies, reader, known))
        return sent


def view(path: str = "a.py", text: str = BODY, **more: Any) -> tuple[Action, Observation]:
    return Action("view", {"path": path}), Observation(f"{path}, lines 1-199 of 199\n{text}", **more)


def edit(path: str, old: str, new: str) -> tuple[Action, Observation]:
    return Action("edit", {"path": path, "old": old, "new": new}), Observation(f"Edited {path}\n" + "+ x\n" * 300)


def ran(ok: bool, name: str = "") -> tuple[Action, Observation]:
    return Action("run_tests", {"nodes": [name]}), Observation(f"1 failed {name}\n" + "E  assert\n" * 200, ok=ok)


def ran_shell(command: str, text: str) -> tuple[Action, Observation]:
    return Action("shell", {"command": command}), Observation(text)


def small(number: int = 0) -> tuple[Action, Observation]:
    return Action("shell", {"command": f"true {number}"}), Observation("(no output)")


def texts(said: ModelRequest) -> list[str]:
    return [str(message["content"]) for message in said.messages]


def folded(said: ModelRequest) -> list[str]:
    return [text for text in texts(said) if text.startswith("[folded: ")]


# As it is where nothing folds


def test_short_conversation_is_sent_as_it_is() -> None:
    talk = Talk()
    talk.call(view(), small(), text="Looking.", blocks=("b1",))
    talk.call(text="Thinking.", blocks=("b2",), model="other")
    said = talk.said().messages
    assert [message["role"] for message in said] == ["system", "user", "assistant", "tool", "tool", "assistant", "user"]
    assert [call["id"] for call in said[2]["tool_calls"]] == ["call_2_1", "call_2_2"]
    assert said[2]["blocks"] == ["b1"]
    assert "blocks" not in said[5]
    assert said[3]["content"].endswith(BODY)


def test_pictures_stand_in_first_message_of_user() -> None:
    talk = Talk()
    talk.hear("and quickly")
    url = "data:image/png;base64," + "A" * 100_000
    said = talk.said(Reader(MODEL, images=True), images={1: [url]})
    assert said.messages[1]["content"] == [
        {"type": "text", "text": ISSUE},
        {"type": "image_url", "image_url": {"url": url}},
    ]
    assert said.messages[2]["content"] == "and quickly"
    assert IMAGE_TOKENS < said.input_bound() < IMAGE_TOKENS + 2_000
    assert (
        texts(talk.said(images={1: [url, url]}))[1]
        == f"{ISSUE}\n[2 pictures could not be shown: this model accepts none]"
    )


# Folding where it pays


def viewing(calls: int, files: int = 6) -> Talk:
    """Some files are viewed, then much is done that is short."""
    talk = Talk()
    for number in range(files):
        talk.call(view(f"f{number}.py"))
    for number in range(calls):
        talk.call(small(number))
    return talk


def test_old_observations_become_stubs_with_command_size_definitions_and_address() -> None:
    stubs = folded(viewing(VIEW_AGE + 1).said())
    assert len(stubs) == 6
    assert stubs[0] == (
        "[folded: view f0.py, 201 lines, defines f1, f2, f3, f4, f5, f6, f7, f8, f9, f10…; "
        'read it again with view("step:2.1")]'
    )


def test_what_is_young_or_short_stays() -> None:
    assert not folded(viewing(0, files=AGE).said())
    assert not folded(viewing(AGE + 1).said())
    talk = Talk()
    for number in range(60):
        talk.call(small(number))
    assert not folded(talk.said())


def test_address_of_whole_output_is_named_and_views_of_addresses_keep_theirs() -> None:
    talk = Talk()
    talk.call((Action("shell", {"command": "make\n  all"}), Observation("x = 1\n" * 900, ok=False, out=17)))
    talk.call((Action("view", {"path": "step:1.1"}), Observation("y" * 9_000)))
    for number in range(VIEW_AGE + 1):
        talk.call(small(number))
    assert folded(talk.said()) == [
        '[folded: shell make all, failed, 901 lines; read it whole with view("out:17")]',
        '[folded: view step:1.1, 9000 characters; read it again with view("step:1.1")]',
    ]


def test_kept_are_issue_view_of_edited_place_diffs_and_last_failing_digest() -> None:
    talk = viewing(0)
    talk.call(view("a.py"), view("a.py", BODY + "200\tlast"))
    talk.call(edit("./a.py", "def f7(x):\n    old", "def f7(y):\n    new"))
    talk.call(ran(False, "one"))
    talk.call(ran(False, "two"))
    talk.call(ran(True, "three"))
    for number in range(VIEW_AGE):
        talk.call(small(number))
    said = talk.said(Reader(MODEL, cached=1.0))
    kept = [text for text in texts(said) if len(text) > LONG]
    assert [text[:12] for text in kept] == [ISSUE[:12], "a.py, lines ", "Edited ./a.p", "1 failed two"]
    assert kept[1].endswith("last")
    assert len(folded(said)) == 6 + 1 + 2


def test_later_view_of_edited_place_takes_place_of_earlier() -> None:
    talk = viewing(0)
    talk.call(view("a.py"))
    talk.call(edit("a.py", "def f7(x):", "def g(x):"))
    talk.call(view("a.py", "7\tdef g(x):\n" + "8\t    pass\n" * 200))
    for number in range(VIEW_AGE):
        talk.call(small(number))
    kept = [text for text in texts(talk.said(Reader(MODEL, cached=1.0))) if text.startswith("a.py")]
    assert len(kept) == 1
    assert "def g(x)" in kept[0]


def long_run(calls: int = 80) -> Talk:
    talk = Talk()
    for number in range(calls):
        length = 800 + 37 * (number * number % 50)
        talk.call(ran_shell(f"./tool {number}", BODY[:length]), small(number), text="On I go. " * 20)
    return talk


def test_view_that_model_still_speaks_of_is_not_old() -> None:
    for path, stubs in (("f0.py", 5), ("other.py", 6)):
        talk = viewing(1)
        talk.call(small(), text=f"Now {path} matters.")
        for number in range(VIEW_AGE - 2):
            talk.call(small(number))
        assert len(folded(talk.said(Reader(MODEL, cached=1.0)))) == stubs


def test_what_later_view_shows_again_is_old_at_once() -> None:
    body = "".join(f"{n}\t    value_{n} = compute_something({n})\n" for n in range(1, 120))
    talk = Talk()
    talk.call(view("a.py", body))
    talk.call(view("b.py", body.replace("compute", "another")))
    talk.call(view("a.py", body + "120\t    and_one_more_line_of_it = True"))
    for number in range(AGE):
        talk.call(small(number))
    (stub,) = folded(talk.said(Reader(MODEL, cached=1.0)))
    assert 'view("step:2.1")' in stub


def test_text_of_file_from_shell_is_view_too() -> None:
    for command, stubs in (("sed -n '1,200p' a.py", 0), ("./tool a.py", 1)):
        talk = Talk()
        talk.call(ran_shell(command, BODY))
        for number in range(AGE + 1):
            talk.call(small(number))
        assert len(folded(talk.said())) == stubs


def test_where_replies_have_many_actions_fold_has_fewer_calls_to_pay_in() -> None:
    def talk(*beside: tuple[Action, Observation]) -> int:
        said = Talk()
        for number in range(6):
            said.call(ran_shell(f"./tool {number}", BODY[:2_500]), *beside, text="On I go. " * 150)
        for number in range(AGE):
            said.call(small(number), *beside, text="And on. " * 20)
        return len(folded(said.said()))

    assert talk() > talk(small(), small())


def test_folding_fires_one_to_three_times_in_usual_run() -> None:
    fired = sum(said.last is None for said in long_run(40).asks()[1:])
    assert 1 <= fired <= 3


@pytest.mark.slow
def test_dearer_cache_more_is_folded_and_free_one_never() -> None:
    asks = [sum(said.last is None for said in long_run(40).asks(Reader(MODEL, cached=c))[1:]) for c in (0.0, 0.1, 0.5)]
    assert asks[0] == 0
    assert asks[1] < asks[2]


# Overflow


@pytest.mark.slow
def test_window_is_kept_by_folding_more_and_next_call_does_not_fold_again() -> None:
    asks = long_run(60).asks(Reader(MODEL, window=12_000, cached=0.0))
    assert all(said.characters <= 36_000 for said in asks)
    fired = [said.last is None for said in asks[1:]]
    assert 1 <= sum(fired) <= 8


def test_reply_tells_how_many_characters_token_has() -> None:
    talk = Talk()
    for number in range(12):
        talk.call(view(f"f{number}.py"), usage=Usage(talk.said(Reader(MODEL, cached=0.0)).characters // 2, 5))
    assert talk.said(Reader(MODEL, window=12_000, cached=0.0)).characters <= 24_100
    assert talk.said(Reader(MODEL, window=30_000, cached=0.0)).characters > 24_100


def test_what_is_shortened_first_and_last() -> None:
    talk = Talk()
    talk.call((Action("edit", {"path": "n.py", "old": "", "new": "z = 1\n" * 500}), Observation("Created n.py")))
    talk.call(view("young.py"))
    talk.call(view("new.py", BODY + "the end"))
    assert len(folded(talk.said(limits=[(4, 10_000)]))) == 1
    newest = texts(talk.said(limits=[(4, 6_000)]))[-1]
    assert newest.startswith("new.py, lines")
    assert newest.endswith("the end")
    assert "step:4.1" in newest
    calls = talk.said(limits=[(4, 2_600)]).messages[2]["tool_calls"]
    assert "left out" in json.loads(calls[0]["function"]["arguments"])["new"]
    with pytest.raises(ModelError, match="cannot be made shorter") as refused:
        talk.said(limits=[(4, 1_000)])
    assert not refused.value.retryable
    assert not refused.value.billed


def test_lowest_limit_holds_from_its_ask_on() -> None:
    talk = viewing(0)
    whole = talk.asks()
    asks = talk.asks(limits=[(5, 9_000), (5, 7_000)])
    assert [said.messages for said in asks[:4]] == [said.messages for said in whole[:4]]
    assert [said.characters <= 7_000 for said in asks] == [True, True, False, False, True, True, True]


# Bounds


def test_bound_is_what_was_billed_and_what_came_since_unless_something_was_folded() -> None:
    talk = viewing(3)
    talk.call(small(), usage=Usage(3_000, 50))
    said = talk.asks()[-1]
    whole = size(said.messages)
    assert said.last is talk.replies["main", 10]
    assert 3_050 < said.input_bound() < 3_050 + 1_000 < whole
    assert talk.said(Reader("other")).input_bound() >= whole
    assert messages("", [], {}, READER).input_bound() == size([])
    assert input_bound(said.messages, (), None) == whole


def test_fold_makes_bound_whole_request() -> None:
    talk = viewing(VIEW_AGE + 3)
    talk.replies["main", 9] = Reply("", (), usage=Usage(30, 5), model=MODEL, branch="main", ask=9)
    asks = talk.asks()
    fired = next(said for said in asks[1:] if said.last is None)
    assert fired.input_bound() == size(fired.messages)


# Whatever the steps

PATHS = st.sampled_from(["a.py", "b.py", "out:3"])
LENGTHS = st.sampled_from([0, 30, 499, 600, 3_000, 12_000])
TEXTS = st.tuples(LENGTHS, st.sampled_from(["line 1\nx = 2\n", "é", "[folded: "]))
"""A length and what fills it: texts themselves would make failing examples unreadable."""
DONE = st.tuples(st.sampled_from(["view", "edit", "failing", "passing", "shell", "odd"]), PATHS, TEXTS)
CALLS = st.lists(st.one_of(st.lists(DONE, max_size=3), TEXTS), max_size=25)
READERS = st.builds(
    Reader, st.just(MODEL), st.sampled_from([0, 0, 4_000, 30_000]), st.sampled_from([0.0, 0.1, 0.25, 1.0])
)


def filled(text: tuple[int, str]) -> str:
    length, word = text
    return (word * length)[:length]


def act(kind: str, path: str, text: tuple[int, str]) -> tuple[Action, Observation]:
    words = filled(text)
    match kind:
        case "view":
            return Action("view", {"path": path}), Observation(words)
        case "edit":
            return Action("edit", {"path": path, "old": "x = 2", "new": words}), Observation(f"Edited {words}")
        case "shell":
            return Action("shell", {"command": words[:50]}, id=""), Observation(words)
        case "odd":
            return Action("odd", {"path": [1], "old": None, "more": {"a": [words]}}), Observation("")
        case _:
            return Action("run-tests", {}), Observation(words, kind == "passing", 5)


def build(calls: list[Any]) -> Talk:
    """A list of actions is a call, a text is a user's."""
    talk = Talk("short issue")
    for number, done in enumerate(calls):
        if isinstance(done, tuple):
            talk.hear(filled(done))
        else:
            talk.call(*(act(*one) for one in done), text="t", usage=Usage(4_000, 10) if number % 3 else None)
    return talk


def protected(talk: Talk) -> set[tuple[int, int]]:
    """By step and number: the last failing digest, and the latest view of each edited place, found the slow way."""
    seen = [
        (step.n, number, action, observation)
        for step in talk.steps
        if step.reply
        for number, (action, observation) in enumerate(zip(step.actions, step.observations, strict=False), 1)
    ]
    failing = [(n, m) for n, m, action, observation in seen if action.tool == "run-tests" and not observation.ok]
    kept = set(failing[-1:])
    for _, _, action, _ in seen:
        if action.tool == "edit":
            views = [
                (n, m)
                for n, m, other, observation in seen
                if other.tool == "view"
                and other.arguments["path"] == action.arguments["path"]
                and "x = 2" in observation.text
            ]
            kept |= set(views[-1:])
    return kept


def by_address(talk: Talk, said: Sequence[Message]) -> dict[tuple[int, int], str]:
    """The content of each tool message by step and number."""
    sent = iter([message["content"] for message in said if message["role"] == "tool"])
    places = [(step.n, m) for step in talk.steps if step.reply for m in range(1, len(step.actions) + 1)]
    return dict(zip(places, sent, strict=True))


@pytest.mark.slow
@given(CALLS, READERS)
def test_roles_alternate_and_every_call_has_its_answer(calls: list[Any], reader: Reader) -> None:
    talk = build(calls)
    try:
        said = talk.said(reader).messages
    except ModelError:
        return
    assert said[0]["role"] == "system"
    for index, message in enumerate(said):
        if message["role"] != "assistant":
            continue
        ids = [call["id"] for call in message.get("tool_calls", ())]
        answers = said[index + 1 : index + 1 + len(ids)]
        assert [answer.get("tool_call_id") for answer in answers] == ids
        assert len(set(ids)) == len(ids)
        after = said[index + 1]["role"] if not ids else "tool"
        assert after == ("tool" if ids else "user")
        for call in message.get("tool_calls", ()):
            assert isinstance(json.loads(call["function"]["arguments"]), dict)
    assert [m["role"] for m in said].count("tool") == sum(len(m.get("tool_calls", ())) for m in said)


@pytest.mark.slow
@given(CALLS, READERS)
def test_request_begins_with_one_before_unless_something_was_folded(calls: list[Any], reader: Reader) -> None:
    talk = build(calls)
    try:
        asks = talk.asks(reader)
    except ModelError:
        return
    for before, after in pairwise(asks):
        extends = after.messages[: len(before.messages)] == before.messages
        assert extends == (after.last is not None)
        for old, new in zip(before.messages, after.messages, strict=False):
            if old != new:
                assert len(json.dumps(new)) < len(json.dumps(old))
            if str(old["content"]).startswith("[folded: view"):
                assert new == old


@pytest.mark.slow
@given(CALLS, READERS)
def test_protected_observations_and_users_words_are_not_folded(calls: list[Any], reader: Reader) -> None:
    talk = build(calls)
    try:
        asks = talk.asks(reader)
    except ModelError:
        return
    ends = [index for index, step in enumerate(talk.steps) if step.reply] + [len(talk.steps)]
    before: dict[tuple[int, int], str] = {}
    for end, said in zip(ends, asks, strict=True):
        part = Talk.__new__(Talk)
        part.steps, part.replies = talk.steps[:end], talk.replies
        now = by_address(part, said.messages)
        for place in protected(part):
            whole = talk.steps[place[0] - 1].observations[place[1] - 1].text
            assert now[place] == before.get(place, whole)
        heard = [step.observations[0].text for step in part.steps if not step.reply or not step.actions]
        assert [m["content"] for m in said.messages if m["role"] == "user"] == heard
        before = now


@pytest.mark.slow
@given(CALLS, READERS, st.lists(st.tuples(st.integers(1, 26), st.integers(500, 40_000)), max_size=3))
def test_conversation_fits_its_limits_or_says_it_cannot_and_is_same_again(
    calls: list[Any], reader: Reader, limits: list[tuple[int, int]]
) -> None:
    talk = build(calls)
    try:
        said = talk.said(reader, limits)
    except ModelError:
        assert limits or reader.window
        return
    assert all(said.characters <= limit for _, limit in limits)
    assert json.dumps(talk.said(reader, limits).messages) == json.dumps(said.messages)
    assert said.input_bound() <= size(said.messages)


def test_id_that_server_gives_again_is_made_new() -> None:
    def same(done: tuple[Action, Observation]) -> tuple[Action, Observation]:
        return replace(done[0], id="call_0"), done[1]

    talk = Talk()
    talk.call(same(view()), same(small()))
    talk.call(same(view()))
    calls = [call["id"] for message in talk.said().messages for call in message.get("tool_calls", ())]
    answers = [message["tool_call_id"] for message in talk.said().messages if message["role"] == "tool"]
    assert calls == answers == ["call_0", "call_2_2", "call_3_1"]


def test_what_model_spoke_of_are_names_and_file_names() -> None:
    said = words(
        {"role": "assistant", "content": "See (aci/observation/output_text.py), x-y/z.toml. And m.js:12 of `Toolbox`."}
    )
    assert {"output_text.py", "z.toml", "m.js", "Toolbox"} <= said


def test_one_word_of_ten_million_letters_is_read_at_once() -> None:
    assert words({"role": "assistant", "content": "y" * 10_000_000}) == {"y" * 10_000_000}
