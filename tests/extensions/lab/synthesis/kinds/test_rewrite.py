"""Functions that a model implements anew: what it is asked, and which answers are taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from extensions.lab.synthesis.candidate import Candidate
from extensions.lab.synthesis.kinds.rewrite import PROMPT, generate
from extensions.lab.synthesis.source_repository import SourceRepository, open_source
from extensions.lab.synthesis.synthesis_job import find_kinds
from extensions.lab.synthesis.test_coverage import TestCoverage
from tests.conftest import MakeRepo, OpenWorkspace
from trajectories.errors import UsageError

SHOP = '''\
class Shop:
    def price(self, count):
        """Return the price."""
        if count < 0:
            raise ValueError
        return count * 2  # twice

    def tiny(self):
        return 1
'''
TESTS = "from shop import Shop\n\n\ndef test_price():\n    assert Shop().price(2) == 4\n"
NEW = """\
def price(self, count):
    "Another docstring."
    found = 2 * count
    if count:
        return found
    return 0
"""
Ask = Callable[[str], tuple[list[Candidate], list[tuple[str, str, str]]]]


@pytest.fixture
def source(make_repo: MakeRepo, open_ws: OpenWorkspace) -> SourceRepository:
    repo = make_repo({"shop.py": SHOP, "test_shop.py": TESTS})
    run = {line: frozenset({"test_shop.py::test_price"}) for line in range(1, 10)}
    return open_source(open_ws("local", repo, "HEAD").options, TestCoverage({"shop.py": run}))


@pytest.fixture
def ask(source: SourceRepository) -> Ask:
    """`ask(answer)` returns the candidates and the questions."""

    def run(answer: str) -> tuple[list[Candidate], list[tuple[str, str, str]]]:
        asked: list[tuple[str, str, str]] = []

        def reply(*question: str) -> str:
            asked.append(question)  # type: ignore[arg-type]
            return answer

        return list(generate(replace(source, ask=reply), Random(0))), asked

    return run


def test_body_is_replaced_and_header_and_docstring_stay(ask: Ask) -> None:
    (found,), _ = ask(f"Here it is:\n\n```python\n{NEW}```\n")
    old = SHOP[SHOP.index("        if count") : SHOP.index("\n\n    def tiny")]
    body = "        found = 2 * count\n        if count:\n            return found\n        return 0"
    assert found.files == {"shop.py": SHOP.replace(old, body).encode()}
    assert (found.kind, found.symbols) == ("rewrite", ("shop.py:Shop.price",))
    assert found.lines == {"shop.py": frozenset(range(3, 7))}


def test_method_in_a_class_is_found_too(ask: Ask) -> None:
    inner = "".join(f"    {line}\n" for line in NEW.splitlines())
    assert ask(f"```\nclass Shop:\n{inner}```")[0] == ask(f"```python\n{NEW}```")[0]


@pytest.mark.parametrize(
    "code",
    [
        "price = (",
        "def other():\n    return 1",
        "def price(self, count): ...",
        "def price(self, count):\n    if count < 0:\n        raise ValueError\n    return count * 2",
    ],
)
def test_answer_without_another_function_gives_no_candidate(ask: Ask, code: str) -> None:
    assert ask(f"```python\n{code}\n```")[0] == ask(code)[0] == []


def test_question_has_signature_docstring_and_tests_but_not_the_body(ask: Ask) -> None:
    _, ((name, system, text),) = ask("")
    assert (name, system) == ("rewrite shop.py:Shop.price", PROMPT)
    assert '    def price(self, count):\n        """Return the price."""\n        ...  # to be implemented\n' in text
    assert "def test_price():\n    assert Shop().price(2) == 4" in text
    assert "def tiny" in text
    assert "count * 2" not in text


def test_kind_needs_a_model(source: SourceRepository) -> None:
    with pytest.raises(UsageError, match="The kind rewrite needs a model"):
        find_kinds(["plant", "rewrite"], has_model=False)
    with pytest.raises(UsageError, match="The kind rewrite needs a model"):
        next(generate(source, Random(0)))
