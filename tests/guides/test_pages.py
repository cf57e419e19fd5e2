"""The commands of each page run in its order, in the repository of the guides, and end as the page says.

Replies are scripted, and GitHub is a local server. `page_stories.py` says what single commands need.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.github_server import Hub
from tests.guides.command_lines import command_lines, page_names
from tests.guides.example_shop import ExampleShop
from tests.guides.page_stories import EXPECTED, FIRST, NOT_RUN, expected, is_run, with_values

LINES = {page: lines for page in page_names() if (lines := command_lines(page))}
SHARE = 0.95
"""At least this share of the command lines must run."""


def pages() -> Iterator[object]:
    for page, lines in LINES.items():
        needs_docker = any(expected(line).docker for line in lines)
        yield pytest.param(page, marks=[pytest.mark.docker] if needs_docker else [])


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[ExampleShop]:
    with Hub(tmp_path) as hub:
        shop = ExampleShop(tmp_path, hub)
        shop.create()
        yield shop


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", pages())
def test_commands_of_page_run(page: str, shop: ExampleShop) -> None:
    wrong = []
    if page in FIRST:
        shop.extra = {"SWE_AGENT_MODEL": shop.model}
        shop.run(FIRST[page])
    for line in filter(is_run, LINES[page]):
        awaited = expected(line)
        shop.extra = {"SWE_AGENT_MODEL": f"scripted:{shop.home / awaited.model}"} if awaited.model else {}
        shop.extra |= {"SWE_AGENT_WORKSPACE": "docker"} if awaited.docker else {}
        shop.extra |= {"SWE_AGENT_MAX_TIME": str(awaited.seconds)} if awaited.seconds else {}
        before = shop.run(awaited.before or ":")
        assert before.returncode == 0, f"{line.place}: {awaited.before}\n{before.stderr}"
        ended = shop.run(with_values(line.text, shop), awaited.input)
        output = ended.stdout + ended.stderr
        if ended.returncode not in awaited.codes or not re.search(awaited.output, output) or "Traceback" in output:
            wrong.append(f"{line.place}: {line.text}\nexit code {ended.returncode}: {output[-1500:]}\n")
    assert wrong == [], "\n".join(wrong)


def test_nearly_all_commands_run() -> None:
    lines = [line for lines in LINES.values() for line in lines]
    left_out = [line.text for line in lines if not is_run(line)]
    assert 1 - len(left_out) / len(lines) >= SHARE, left_out


def test_stories_name_only_commands_of_pages() -> None:
    texts = [line.text for lines in LINES.values() for line in lines]
    beginnings = [*EXPECTED, *NOT_RUN]
    assert [one for one in beginnings if not any(text.startswith(one) for text in texts)] == []
    assert FIRST.keys() <= LINES.keys()
