"""The part of the examiner's prompt that concerns pages."""

from __future__ import annotations

import re

import pytest

from agent.engine.branch import Branch
from extensions.examiner.page_prompt import BROWSER, LONGEST_FILES, describe_pages
from tests.agent.conftest import Bench, line
from tests.conftest import git

CARDS = ".add-card { height: 310px; overflow: hidden; }\n"
FILES = {
    "css/site.css": "body { margin: 0; }\n" * 300,
    "css/cards.css": CARDS,
    "events.html": (
        "<link rel=stylesheet href=css/cards.css><p class=add-card>It subtracts</p>\n"
        '<script src="/js/cards.js?v=2"></script><script src=js/jquery.min.js></script>\n'
    ),
    "js/cards.js": "addCard();\n",
    "js/jquery.min.js": "add();\n",
    "js/unused.js": "add();\n",
    "tests/page.html": "<p>Card with text</p>",
}


def described(bench: Bench) -> str:
    for name, text in FILES.items():
        (bench.repository / name).parent.mkdir(exist_ok=True)
        (bench.repository / name).write_text(text)
    git(bench.repository, "add", "-A")
    git(bench.repository, "commit", "-qm", "Pages")
    bench.begin(line("x"))
    engine = bench.engine()
    try:
        return describe_pages(Branch(engine))
    finally:
        engine.close()


def test_page_files_with_the_words_of_the_issue_are_shown(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("extensions.examiner.page_prompt.has_browser", lambda branch: True)
    text = described(bench)
    assert text.startswith(BROWSER)
    assert "Pages and styles: css/cards.css, css/site.css, events.html\n" in text
    assert f'<source file="css/cards.css">\n{CARDS}' in text
    shown = re.findall(r'<source file="(.*?)"', text)
    assert shown == ["css/cards.css", "events.html", "js/cards.js", "css/site.css"]
    assert len(text) < len(BROWSER) + LONGEST_FILES + 500


def test_nothing_is_said_without_a_browser(bench: Bench) -> None:
    assert described(bench) == ""
