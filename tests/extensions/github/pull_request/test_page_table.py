"""The table of changed pages in pull requests and comments."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from extensions.github.pull_request.comment_texts import unproven_comment
from extensions.github.pull_request.page_table import page_table
from extensions.github.pull_request.pull_request_body import body
from extensions.github.task.result_file import Outcome, pack, read_result
from tests.extensions.github.pull_request.test_pull_request_body import DIFF, OUTCOME, RESULT
from tests.extensions.github.test_text_escaping import HOSTILES, check_harmless
from trajectories.errors import UsageError

PAGE: dict[str, Any] = {
    "path": "/cart",
    "width": 390,
    "dark": True,
    "asked": ["button Buy: x 4 to 16"],
    "unasked": ["link Home: colour | red"],
    "before": "pictures/5.png",
    "difference": "pictures/7.png",
}


def with_pages(*pages: dict[str, Any], errand: str = "d" * 64) -> Outcome:
    return replace(OUTCOME, errand=errand, result=RESULT | {"directory": "", "pages": pages})


def test_pull_request_lists_changed_pages_and_where_their_pictures_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_RUN_ID", "77")
    monkeypatch.setenv("GITHUB_REPOSITORY", "octo/shop")
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://github.com")
    text = body(with_pages(PAGE), 12, DIFF)
    row = "| `/cart` | 390 px, dark | button Buy: x 4 to 16 | link Home: colour ¦ red | `5.png`, `7.png` |"
    assert row in text.splitlines()
    run = "[the workflow run](https://github.com/octo/shop/actions/runs/77)"
    assert f"in the folder `pictures` of the artifact `swe-agent-journal` of {run}." in text
    assert row in unproven_comment(with_pages(PAGE))
    assert row in page_table(with_pages(PAGE, errand=""))
    assert "artifact" not in page_table(with_pages(PAGE, errand="")), "only the Action uploads one"
    assert page_table(OUTCOME) == ""


def test_long_table_is_cut() -> None:
    long = PAGE | {"path": "/" + "x" * 4_000, "asked": ["`y` *" * 800] * 20, "unasked": ["z" * 4_000] * 20}
    table = page_table(with_pages(*[long] * 50))
    assert "44 more pages differ." in table
    assert "; 17 more |" in table
    assert len(table) < 20_000


@given(HOSTILES, st.lists(HOSTILES, max_size=3))
def test_hostile_page_stays_in_its_cells(path: str, texts: list[str]) -> None:
    page = PAGE | {"path": path, "asked": texts, "unasked": texts, "before": f"pictures/{path}"}
    table = page_table(with_pages(page, errand=""))
    check_harmless(table)
    cells = [token.type for token in MarkdownIt().enable("table").parse(table)].count("td_open")
    assert cells == 5


@pytest.mark.parametrize("wrong", [{"width": "390"}, {"unasked": "all"}, {"more": 1}, {"asked": ["x" * 5_000]}])
def test_result_with_other_form_of_pages_is_refused(tmp_path: Any, wrong: dict[str, Any]) -> None:
    pack(with_pages(PAGE), b"", tmp_path / "right")
    assert read_result(tmp_path / "right")[0].result["pages"][0]["path"] == "/cart"
    pack(with_pages(PAGE | wrong), b"", tmp_path / "wrong")
    with pytest.raises(UsageError, match=r"invalid in result\.pages"):
        read_result(tmp_path / "wrong")
