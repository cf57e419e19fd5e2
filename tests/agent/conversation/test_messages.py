"""Messages sent to a model: whole conversations, folding to save cost or to fit a limit, and bounds."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.conversation.compaction import AGE, IMAGE_TOKENS, LEFT_OUT, LONG, VIEW_AGE, words
from agent.conversation.messages import ModelRequest, Reader, input_bound, size
from agent.models.base import Message
from tests.agent.conversation.new_conversation import messages
from trajectories.errors import ModelError
from trajectories.page_picture import data_url
from trajectories.records import PICTURE, Action, Observation, Reply, Step, Usage

MODEL = "m"
PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 2, 1)
ISSUE = "The issue: add() subtracts.\n" + "It matters. " * 60
READER = Reader(MODEL)
BODY = "".join(f"{n}\tdef f{n}(x):\n" for n in range(1, 200))


class Conversation:
    """A branch that a test builds call by call."""

    def __init__(self, issue: str = ISSUE) -> None:
        self.steps: list[Step] = []
        self.replies: dict[tuple[str, int], Reply] = {}
        self.add_message(issue, "task")

    def add_message(self, text: str, author: str = "user") -> None:
        self._step(author, None, (), (Observation(text),))

    def add_call(
        self, *done: tuple[Action, Observation], text: str = "", usage: Usage | None = None, **reply: Any
    ) -> None:
        number = len(self.replies) + 1
        actions = tuple(action for action, _ in done)
        observations = tuple(observation for _, observation in done) or (Observation("Nothing happened.", ok=False),)
        reply_record = Reply(text, actions, usage=usage, branch="main", ask=number, **{"model": MODEL} | reply)
        self.replies["main", number] = reply_record
        self._step("coder", number, actions, observations)

    def _step(
        self, author: str, reply: int | None, actions: tuple[Action, ...], observations: tuple[Observation, ...]
    ) -> None:
        self.steps.append(Step("main", len(self.steps) + 1, "", author, "t", reply, actions, observations, at=0.0))

    def build_request(
        self, reader: Reader = READER, limits: Sequence[tuple[int, int]] = (), **more: Any
    ) -> ModelRequest:
        return messages("You fix issues.", self.steps, self.replies, reader, limits, **more)

    def build_requests(self, reader: Reader = READER, limits: Sequence[tuple[int, int]] = ()) -> list[ModelRequest]:
        """Build the request of each call from the steps before it, and one for the next call."""
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


def run_tests_call(ok: bool, name: str = "") -> tuple[Action, Observation]:
    return Action("run_tests", {"nodes": [name]}), Observation(f"1 failed {name}\n" + "E  assert\n" * 200, ok=ok)


def shell_call(command: str, text: str) -> tuple[Action, Observation]:
    return Action("shell", {"command": command}), Observation(text)


def short_call(number: int = 0) -> tuple[Action, Observation]:
    return Action("shell", {"command": f"true {number}"}), Observation("(no output)")


def texts(request: ModelRequest) -> list[str]:
    return [str(message["content"]) for message in request.messages]


def folded_texts(request: ModelRequest) -> list[str]:
    return [text for text in texts(request) if text.startswith("[folded: ")]


# Pictures of observations


def test_picture_of_observation_follows_results_and_is_left_out_when_old() -> None:
    conversation = Conversation()
    look = Action("browser", {"action": "look"}), Observation("A picture of 2 x 1 pixels.", data={PICTURE: 7})
    conversation.add_call(look, short_call())
    pictures = {7: PNG}
    seeing = Reader(MODEL, images=True)
    sent = conversation.build_request(seeing, recall=pictures.__getitem__).messages
    assert [message["role"] for message in sent[-4:]] == ["assistant", "tool", "tool", "user"]
    text, picture = sent[-1]["content"]
    assert "`browser`" in text["text"]
    assert picture["image_url"]["url"] == data_url(PNG)
    assert len(conversation.build_request(Reader(MODEL), recall=pictures.__getitem__).messages) == len(sent) - 1
    assert len(conversation.build_request(seeing, recall={}.__getitem__).messages) == len(sent) - 1
    for number in range(AGE):
        conversation.add_call(short_call(number))
    assert LEFT_OUT in texts(conversation.build_request(seeing, recall=pictures.__getitem__))


# Without folding


def test_short_conversation_is_sent_unchanged() -> None:
    conversation = Conversation()
    conversation.add_call(view(), short_call(), text="Looking.", blocks=("b1",))
    conversation.add_call(text="Thinking.", blocks=("b2",), model="other")
    sent = conversation.build_request().messages
    assert [message["role"] for message in sent] == ["system", "user", "assistant", "tool", "tool", "assistant", "user"]
    assert [call["id"] for call in sent[2]["tool_calls"]] == ["call_2_1", "call_2_2"]
    assert sent[2]["blocks"] == ["b1"]
    assert "blocks" not in sent[5]
    assert sent[3]["content"].endswith(BODY)


def test_images_are_part_of_first_user_message() -> None:
    conversation = Conversation()
    conversation.add_message("and quickly")
    url = "data:image/png;base64," + "A" * 100_000
    request = conversation.build_request(Reader(MODEL, images=True), images={1: [url]})
    assert request.messages[1]["content"] == [
        {"type": "text", "text": ISSUE},
        {"type": "image_url", "image_url": {"url": url}},
    ]
    assert request.messages[2]["content"] == "and quickly"
    assert IMAGE_TOKENS < request.input_bound() < IMAGE_TOKENS + 2_000
    assert (
        texts(conversation.build_request(images={1: [url, url]}))[1]
        == f"{ISSUE}\n[2 pictures could not be shown: this model accepts none]"
    )


# Folding to save cost


def conversation_with_views(calls: int, files: int = 6) -> Conversation:
    """Build a conversation that views some files and then makes many short calls."""
    conversation = Conversation()
    for number in range(files):
        conversation.add_call(view(f"f{number}.py"))
    for number in range(calls):
        conversation.add_call(short_call(number))
    return conversation


def test_old_observations_become_stubs_with_address() -> None:
    stubs = folded_texts(conversation_with_views(VIEW_AGE + 1).build_request())
    assert len(stubs) == 6
    assert stubs[0] == (
        "[folded: view f0.py, 201 lines, defines f1, f2, f3, f4, f5, f6, f7, f8, f9, f10…; "
        'read it again with view("step:2.1")]'
    )


def test_recent_and_short_observations_are_not_folded() -> None:
    assert not folded_texts(conversation_with_views(0, files=AGE).build_request())
    assert not folded_texts(conversation_with_views(AGE + 1).build_request())
    conversation = Conversation()
    for number in range(60):
        conversation.add_call(short_call(number))
    assert not folded_texts(conversation.build_request())


def test_stub_names_address_of_stored_output() -> None:
    conversation = Conversation()
    conversation.add_call((Action("shell", {"command": "make\n  all"}), Observation("x = 1\n" * 900, ok=False, out=17)))
    conversation.add_call((Action("view", {"path": "step:1.1"}), Observation("y" * 9_000)))
    for number in range(VIEW_AGE + 1):
        conversation.add_call(short_call(number))
    assert folded_texts(conversation.build_request()) == [
        '[folded: shell make all, failed, 901 lines; read it whole with view("out:17")]',
        '[folded: view step:1.1, 9000 characters; read it again with view("step:1.1")]',
    ]


def test_issue_edited_view_diffs_and_last_failure_are_not_folded() -> None:
    conversation = conversation_with_views(0)
    conversation.add_call(view("a.py"), view("a.py", BODY + "200\tlast"))
    conversation.add_call(edit("./a.py", "def f7(x):\n    old", "def f7(y):\n    new"))
    conversation.add_call(run_tests_call(False, "one"))
    conversation.add_call(run_tests_call(False, "two"))
    conversation.add_call(run_tests_call(True, "three"))
    for number in range(VIEW_AGE):
        conversation.add_call(short_call(number))
    request = conversation.build_request(Reader(MODEL, cached=1.0))
    texts_left = [text for text in texts(request) if len(text) > LONG]
    assert [text[:12] for text in texts_left] == [ISSUE[:12], "a.py, lines ", "Edited ./a.p", "1 failed two"]
    assert texts_left[1].endswith("last")
    assert len(folded_texts(request)) == 6 + 1 + 2


def test_only_latest_view_of_edited_place_is_not_folded() -> None:
    conversation = conversation_with_views(0)
    conversation.add_call(view("a.py"))
    conversation.add_call(edit("a.py", "def f7(x):", "def g(x):"))
    conversation.add_call(view("a.py", "7\tdef g(x):\n" + "8\t    pass\n" * 200))
    for number in range(VIEW_AGE):
        conversation.add_call(short_call(number))
    texts_left = [
        text for text in texts(conversation.build_request(Reader(MODEL, cached=1.0))) if text.startswith("a.py")
    ]
    assert len(texts_left) == 1
    assert "def g(x)" in texts_left[0]


def long_conversation(calls: int = 80) -> Conversation:
    conversation = Conversation()
    for number in range(calls):
        length = 800 + 37 * (number * number % 50)
        conversation.add_call(shell_call(f"./tool {number}", BODY[:length]), short_call(number), text="On I go. " * 20)
    return conversation


def test_view_mentioned_by_model_is_not_folded() -> None:
    for path, stubs in (("f0.py", 5), ("other.py", 6)):
        conversation = conversation_with_views(1)
        conversation.add_call(short_call(), text=f"Now {path} matters.")
        for number in range(VIEW_AGE - 2):
            conversation.add_call(short_call(number))
        assert len(folded_texts(conversation.build_request(Reader(MODEL, cached=1.0)))) == stubs


def test_view_repeated_by_later_view_is_folded_early() -> None:
    body = "".join(f"{n}\t    value_{n} = compute_something({n})\n" for n in range(1, 120))
    conversation = Conversation()
    conversation.add_call(view("a.py", body))
    conversation.add_call(view("b.py", body.replace("compute", "another")))
    conversation.add_call(view("a.py", body + "120\t    and_one_more_line_of_it = True"))
    for number in range(AGE):
        conversation.add_call(short_call(number))
    (stub,) = folded_texts(conversation.build_request(Reader(MODEL, cached=1.0)))
    assert 'view("step:2.1")' in stub


def test_file_printed_by_shell_counts_as_view() -> None:
    for command, stubs in (("sed -n '1,200p' a.py", 0), ("./tool a.py", 1)):
        conversation = Conversation()
        conversation.add_call(shell_call(command, BODY))
        for number in range(AGE + 1):
            conversation.add_call(short_call(number))
        assert len(folded_texts(conversation.build_request())) == stubs


def test_fewer_observations_fold_if_replies_have_many_actions() -> None:
    def conversation(*beside: tuple[Action, Observation]) -> int:
        built = Conversation()
        for number in range(6):
            built.add_call(shell_call(f"./tool {number}", BODY[:2_500]), *beside, text="On I go. " * 150)
        for number in range(AGE):
            built.add_call(short_call(number), *beside, text="And on. " * 20)
        return len(folded_texts(built.build_request()))

    assert conversation() > conversation(short_call(), short_call())


def test_typical_run_folds_one_to_three_times() -> None:
    folds = sum(request.last is None for request in long_conversation(40).build_requests()[1:])
    assert 1 <= folds <= 3


@pytest.mark.slow
def test_expensive_cache_folds_more_often_and_free_cache_never() -> None:
    requests = [
        sum(request.last is None for request in long_conversation(40).build_requests(Reader(MODEL, cached=c))[1:])
        for c in (0.0, 0.1, 0.5)
    ]
    assert requests[0] == 0
    assert requests[1] < requests[2]


# Overflow


@pytest.mark.slow
def test_folding_fits_window_without_folding_at_every_call() -> None:
    requests = long_conversation(60).build_requests(Reader(MODEL, window=12_000, cached=0.0))
    assert all(request.characters <= 36_000 for request in requests)
    folds = [request.last is None for request in requests[1:]]
    assert 1 <= sum(folds) <= 8


def test_usage_of_reply_sets_characters_per_token() -> None:
    conversation = Conversation()
    for number in range(12):
        conversation.add_call(
            view(f"f{number}.py"), usage=Usage(conversation.build_request(Reader(MODEL, cached=0.0)).characters // 2, 5)
        )
    assert conversation.build_request(Reader(MODEL, window=12_000, cached=0.0)).characters <= 24_100
    assert conversation.build_request(Reader(MODEL, window=30_000, cached=0.0)).characters > 24_100


def test_old_observations_shrink_before_newest_and_arguments() -> None:
    conversation = Conversation()
    conversation.add_call(
        (Action("edit", {"path": "n.py", "old": "", "new": "z = 1\n" * 500}), Observation("Created n.py"))
    )
    conversation.add_call(view("young.py"))
    conversation.add_call(view("new.py", BODY + "the end"))
    assert len(folded_texts(conversation.build_request(limits=[(4, 10_000)]))) == 1
    newest = texts(conversation.build_request(limits=[(4, 6_000)]))[-1]
    assert newest.startswith("new.py, lines")
    assert newest.endswith("the end")
    assert "step:4.1" in newest
    calls = conversation.build_request(limits=[(4, 2_600)]).messages[2]["tool_calls"]
    assert "left out" in json.loads(calls[0]["function"]["arguments"])["new"]
    with pytest.raises(ModelError, match="cannot be made shorter") as raised:
        conversation.build_request(limits=[(4, 1_000)])
    assert not raised.value.retryable
    assert not raised.value.billed


def test_lowest_limit_applies_from_its_request_on() -> None:
    conversation = conversation_with_views(0)
    whole = conversation.build_requests()
    requests = conversation.build_requests(limits=[(5, 9_000), (5, 7_000)])
    assert [request.messages for request in requests[:4]] == [request.messages for request in whole[:4]]
    assert [request.characters <= 7_000 for request in requests] == [True, True, False, False, True, True, True]


# Bounds


def test_bound_is_billed_tokens_plus_later_messages() -> None:
    conversation = conversation_with_views(3)
    conversation.add_call(short_call(), usage=Usage(3_000, 50))
    request = conversation.build_requests()[-1]
    whole = size(request.messages)
    assert request.last is conversation.replies["main", 10]
    assert 3_050 < request.input_bound() < 3_050 + 1_000 < whole
    assert conversation.build_request(Reader("other")).input_bound() >= whole
    assert messages("", [], {}, READER).input_bound() == size([])
    assert input_bound(request.messages, (), None) == whole


def test_bound_is_whole_request_after_fold() -> None:
    conversation = conversation_with_views(VIEW_AGE + 3)
    conversation.replies["main", 9] = Reply("", (), usage=Usage(30, 5), model=MODEL, branch="main", ask=9)
    requests = conversation.build_requests()
    folding = next(request for request in requests[1:] if request.last is None)
    assert folding.input_bound() == size(folding.messages)


# Properties of every conversation

PATHS = st.sampled_from(["a.py", "b.py", "out:3"])
LENGTHS = st.sampled_from([0, 30, 499, 600, 3_000, 12_000])
TEXTS = st.tuples(LENGTHS, st.sampled_from(["line 1\nx = 2\n", "é", "[folded: "]))
"""A length and the text that fills it: the texts themselves would make failing examples unreadable."""
DONE = st.tuples(st.sampled_from(["view", "edit", "failing", "passing", "shell", "odd"]), PATHS, TEXTS)
CALLS = st.lists(st.one_of(st.lists(DONE, max_size=3), TEXTS), max_size=25)
READERS = st.builds(
    Reader, st.just(MODEL), st.sampled_from([0, 0, 4_000, 30_000]), st.sampled_from([0.0, 0.1, 0.25, 1.0])
)


def fill(text: tuple[int, str]) -> str:
    length, filler = text
    return (filler * length)[:length]


def build_call(kind: str, path: str, text: tuple[int, str]) -> tuple[Action, Observation]:
    content = fill(text)
    match kind:
        case "view":
            return Action("view", {"path": path}), Observation(content)
        case "edit":
            return Action("edit", {"path": path, "old": "x = 2", "new": content}), Observation(f"Edited {content}")
        case "shell":
            return Action("shell", {"command": content[:50]}, id=""), Observation(content)
        case "odd":
            return Action("odd", {"path": [1], "old": None, "more": {"a": [content]}}), Observation("")
        case _:
            return Action("run-tests", {}), Observation(content, kind == "passing", 5)


def build_conversation(calls: list[Any]) -> Conversation:
    """Build a conversation in which a list of actions is a call and a text is a message of the user."""
    conversation = Conversation("short issue")
    for number, done in enumerate(calls):
        if isinstance(done, tuple):
            conversation.add_message(fill(done))
        else:
            conversation.add_call(
                *(build_call(*one) for one in done), text="t", usage=Usage(4_000, 10) if number % 3 else None
            )
    return conversation


def protected_places(conversation: Conversation) -> set[tuple[int, int]]:
    """Find the (step, number) places that must not fold: the last failing digest and the last view of each edit."""
    calls = [
        (step.n, number, action, observation)
        for step in conversation.steps
        if step.reply
        for number, (action, observation) in enumerate(zip(step.actions, step.observations, strict=False), 1)
    ]
    failing = [(n, m) for n, m, action, observation in calls if action.tool == "run-tests" and not observation.ok]
    places = set(failing[-1:])
    for _, _, action, _ in calls:
        if action.tool == "edit":
            views = [
                (n, m)
                for n, m, other, observation in calls
                if other.tool == "view"
                and other.arguments["path"] == action.arguments["path"]
                and "x = 2" in observation.text
            ]
            places |= set(views[-1:])
    return places


def contents_by_place(conversation: Conversation, sent_messages: Sequence[Message]) -> dict[tuple[int, int], str]:
    """Map the place (step, number) of each tool message to its content."""
    sent = iter([message["content"] for message in sent_messages if message["role"] == "tool"])
    places = [(step.n, m) for step in conversation.steps if step.reply for m in range(1, len(step.actions) + 1)]
    return dict(zip(places, sent, strict=True))


@pytest.mark.slow
@given(CALLS, READERS)
def test_roles_alternate_and_every_call_has_its_answer(calls: list[Any], reader: Reader) -> None:
    conversation = build_conversation(calls)
    try:
        sent = conversation.build_request(reader).messages
    except ModelError:
        return
    assert sent[0]["role"] == "system"
    for index, message in enumerate(sent):
        if message["role"] != "assistant":
            continue
        ids = [call["id"] for call in message.get("tool_calls", ())]
        answers = sent[index + 1 : index + 1 + len(ids)]
        assert [answer.get("tool_call_id") for answer in answers] == ids
        assert len(set(ids)) == len(ids)
        after = sent[index + 1]["role"] if not ids else "tool"
        assert after == ("tool" if ids else "user")
        for call in message.get("tool_calls", ()):
            assert isinstance(json.loads(call["function"]["arguments"]), dict)
    assert [m["role"] for m in sent].count("tool") == sum(len(m.get("tool_calls", ())) for m in sent)


@pytest.mark.slow
@given(CALLS, READERS)
def test_request_extends_previous_one_unless_messages_were_folded(calls: list[Any], reader: Reader) -> None:
    conversation = build_conversation(calls)
    try:
        requests = conversation.build_requests(reader)
    except ModelError:
        return
    for before, after in pairwise(requests):
        extends = after.messages[: len(before.messages)] == before.messages
        assert extends == (after.last is not None)
        for old, new in zip(before.messages, after.messages, strict=False):
            if old != new:
                assert len(json.dumps(new)) < len(json.dumps(old))
            if str(old["content"]).startswith("[folded: view"):
                assert new == old


@pytest.mark.slow
@given(CALLS, READERS)
def test_protected_observations_and_user_messages_are_not_folded(calls: list[Any], reader: Reader) -> None:
    conversation = build_conversation(calls)
    try:
        requests = conversation.build_requests(reader)
    except ModelError:
        return
    ends = [index for index, step in enumerate(conversation.steps) if step.reply] + [len(conversation.steps)]
    before: dict[tuple[int, int], str] = {}
    for end, request in zip(ends, requests, strict=True):
        part = Conversation.__new__(Conversation)
        part.steps, part.replies = conversation.steps[:end], conversation.replies
        now = contents_by_place(part, request.messages)
        for place in protected_places(part):
            whole = conversation.steps[place[0] - 1].observations[place[1] - 1].text
            assert now[place] == before.get(place, whole)
        other_texts = [step.observations[0].text for step in part.steps if not step.reply or not step.actions]
        assert [m["content"] for m in request.messages if m["role"] == "user"] == other_texts
        before = now


@pytest.mark.slow
@given(CALLS, READERS, st.lists(st.tuples(st.integers(1, 26), st.integers(500, 40_000)), max_size=3))
def test_request_fits_its_limits_and_is_deterministic(
    calls: list[Any], reader: Reader, limits: list[tuple[int, int]]
) -> None:
    conversation = build_conversation(calls)
    try:
        request = conversation.build_request(reader, limits)
    except ModelError:
        assert limits or reader.window
        return
    assert all(request.characters <= limit for _, limit in limits)
    assert json.dumps(conversation.build_request(reader, limits).messages) == json.dumps(request.messages)
    assert request.input_bound() <= size(request.messages)


def test_repeated_call_id_is_replaced() -> None:
    def same(done: tuple[Action, Observation]) -> tuple[Action, Observation]:
        return replace(done[0], id="call_0"), done[1]

    conversation = Conversation()
    conversation.add_call(same(view()), same(short_call()))
    conversation.add_call(same(view()))
    calls = [call["id"] for message in conversation.build_request().messages for call in message.get("tool_calls", ())]
    answers = [
        message["tool_call_id"] for message in conversation.build_request().messages if message["role"] == "tool"
    ]
    assert calls == answers == ["call_0", "call_2_2", "call_3_1"]


def test_words_extracts_names_and_file_names() -> None:
    extracted = words(
        {"role": "assistant", "content": "See (aci/observation/output_text.py), x-y/z.toml. And m.js:12 of `Toolbox`."}
    )
    assert {"output_text.py", "z.toml", "m.js", "Toolbox"} <= extracted


def test_words_handles_very_long_word() -> None:
    assert words({"role": "assistant", "content": "y" * 10_000_000}) == {"y" * 10_000_000}
