"""Single questions to a model: recorded, asked once, and paid from one budget."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from agent.config.model_table import ModelTable
from agent.config.settings import Settings
from agent.conversation.model_requests import RequestSpec
from agent.limits.cancellation import CancellationToken
from extensions.lab.synthesis import model_questions
from extensions.lab.synthesis.model_questions import ModelQuestions, branch_of
from trajectories.errors import BudgetStop, ConfigError, ModelError
from trajectories.records import Reply

Open = Callable[..., ModelQuestions]


def _branch(name: str) -> str:
    return branch_of(name, "system", "text")


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Open]:
    """`ask({"question": "answer"}, budget=…, **prices)` opens the questions, with one journal for all calls."""
    with ExitStack() as stack:

        def make(answers: dict[str, str], budget: float | None = None, **price: float) -> ModelQuestions:
            script = tmp_path / "script.jsonl"
            usage = {"input_tokens": 100, "output_tokens": 50}
            lines = [
                {"branch": _branch(name), "reply": {"text": text, "usage": usage}} for name, text in answers.items()
            ]
            script.write_text("".join(json.dumps(line) + "\n" for line in lines))
            name = f"scripted:{script}"
            settings = Settings(model=name, budget=budget, models={name: ModelTable(**price)})
            questions = ModelQuestions(settings, tmp_path / "requests", CancellationToken(), print)
            return stack.enter_context(closing(questions))

        yield make


def test_recorded_answer_is_not_asked_for_again(ask: Open) -> None:
    first = ask({"one": "1"}, price_in=2.0, price_out=50.0)
    assert first.ask("one", "system", "text") == "1"
    assert first.ledger.spent.dollars == pytest.approx(100 * 2e-6 + 50 * 5e-5)
    first.close()
    later = ask({"one": "another", "two": "2"}, price_in=2.0, price_out=50.0)
    assert (later.ask("one", "system", "text"), later.ask("two", "system", "text")) == ("1", "2")
    assert later.ledger.spent.dollars == pytest.approx(2 * (100 * 2e-6 + 50 * 5e-5))


def test_recorded_answer_to_another_prompt_is_not_used(ask: Open) -> None:
    questions = ask({"one": "1"})
    questions.ask("one", "system", "text")
    with pytest.raises(ModelError, match="has no reply"):
        questions.ask("one", "system", "another text")


def test_known_secrets_are_not_sent(ask: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "abcdefgh12345678")
    questions, sent = ask({}), []

    def send(asking: ModelQuestions, model: object, spec: RequestSpec) -> Reply:
        sent.append(spec.said(asking._model).messages)
        return Reply("1")

    monkeypatch.setattr(model_questions, "send", send)
    questions.ask("one", "system", "token = 'abcdefgh12345678'")
    assert "abcdefgh12345678" not in str(sent)
    assert "token = " in str(sent)


def test_calls_share_one_budget(ask: Open) -> None:
    first = ask({"one": "1"}, budget=0.0045, price_in=2.0, price_out=50.0)
    first.ask("one", "system", "text")
    first.close()
    later = ask({"two": "2"}, budget=0.003, price_in=2.0, price_out=50.0)
    with pytest.raises(BudgetStop):
        later.ask("two", "system", "text")


def test_failed_request_is_settled_and_raised(ask: Open) -> None:
    questions = ask({})
    with pytest.raises(ModelError, match="has no reply"):
        questions.ask("one", "system", "text")
    trajectory = questions.journal.trajectory
    assert trajectory.holds.keys() == trajectory.settles.keys() != set()


def test_missing_model_is_refused(tmp_path: Path) -> None:
    settings = Settings(model=f"scripted:{tmp_path / 'missing.jsonl'}")
    with pytest.raises(ConfigError, match=r"missing\.jsonl cannot be read"):
        ModelQuestions(settings, tmp_path / "requests", CancellationToken(), print)
    assert not (tmp_path / "requests").exists()
