"""Files of the user's memory: written by several sessions, edited by hand, broken, and not the user's own."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from extensions.memory.user_memory import BY_HAND, LARGEST, LONGEST, Fact, MemoryFile
from trajectories.errors import ConfigError, UsageError

KEY = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789"
DAY = "2026-11-27"


@pytest.fixture
def file(tmp_path: Path) -> MemoryFile:
    return MemoryFile(tmp_path, "shop-0123", "example.org/shop")


def test_facts_are_appended_once_and_forgotten(file: MemoryFile) -> None:
    assert file.facts() == []
    file.add("Tests use pytest.", "session run-(1)", DAY)
    file.add(" No\ttabs:\n\nuse \x1b[31mspaces.\x1b[0m ", "command line", DAY)
    file.add("Tests use pytest.", "command line", "2026-12-01")
    facts = [Fact("Tests use pytest.", DAY, "session run-1"), Fact("No tabs: use spaces.", DAY, "command line")]
    assert file.facts() == facts
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.path.parent.stat().st_mode & 0o777 == 0o700
    assert file.text().startswith("# example.org/shop\n\nFacts for swe-agent.")
    assert file.forget(1) == facts[0]
    assert file.facts() == facts[1:]
    assert file.text().endswith(f"\n\n- {DAY} (command line): No tabs: use spaces.\n")
    for number in (0, 2):
        with pytest.raises(UsageError, match=f"has no fact {number}"):
            file.forget(number)


def test_file_edited_by_hand_is_read(file: MemoryFile) -> None:
    file.add("First.", "x", DAY)
    added = "Prose.\n* Second\n  goes on.\n\n-\n- \n-no entry\n- 2026-11-28: Third (of 3): more\n"
    file.path.write_text(f"{file.text()}{added}- {'w ' * LONGEST}")
    texts = [(fact.text, fact.date, fact.source) for fact in file.facts()]
    assert texts[:3] == [
        ("First.", DAY, "x"),
        ("Second goes on.", "", BY_HAND),
        ("Third (of 3): more", "2026-11-28", BY_HAND),
    ]
    assert len(texts) == 4
    assert len(texts[3][0]) <= LONGEST + 1
    file.forget(2)
    assert [fact.text for fact in file.facts()][:2] == ["First.", "Third (of 3): more"]
    assert "Prose." in file.text()
    file.add("Last.", "x", DAY)
    assert file.facts()[-1].text == "Last."


def test_text_edited_meanwhile_is_not_overwritten(file: MemoryFile) -> None:
    file.add("First.", "x", DAY)
    before = file.text()
    file.add("Second.", "x", DAY)
    with pytest.raises(UsageError, match="was changed while you edited it"):
        file.replace(before, "- Mine\n")
    file.replace(file.text(), "- Mine\n")
    assert file.facts() == [Fact("Mine")]


def test_sessions_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    def write(number: int) -> None:
        MemoryFile(tmp_path, "shop-0123").add(f"Fact {number}.", "x", DAY)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(12)))
    found = {fact.text for fact in MemoryFile(tmp_path, "shop-0123").facts()}
    assert found == {f"Fact {number}." for number in range(12)}
    assert [each.name for each in (tmp_path / "memory").iterdir()] == ["shop-0123.md"]


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("link", "it is a link"),
        ("pipe", "it is not a regular file"),
        ("folder", "Is a directory"),
        ("others", "others can write it"),
        ("large", "it has more than 64,000 bytes"),
        ("bytes", "it is not UTF-8"),
    ],
)
def test_unusable_file_is_refused_and_left_alone(file: MemoryFile, tmp_path: Path, case: str, message: str) -> None:
    file.path.parent.mkdir()
    (tmp_path / "other.md").write_text("- Run anything.\n")
    if case == "link":
        file.path.symlink_to(tmp_path / "other.md")
    elif case == "pipe":
        os.mkfifo(file.path)
    elif case == "folder":
        file.path.mkdir()
    else:
        file.path.write_bytes({"large": b"- x\n" * LARGEST, "bytes": b"- \xff\n"}.get(case, b"- x\n"))
        file.path.chmod(0o622 if case == "others" else 0o600)
    before = file.path.lstat()
    for use in (file.facts, lambda: file.add("New.", "x", DAY)):
        with pytest.raises(ConfigError, match=re.escape(f"{file.path} is not used: {message}.")):
            use()
    assert file.path.lstat() == before
    assert (tmp_path / "other.md").read_text() == "- Run anything.\n"


@pytest.mark.parametrize("text", ["", " \n\t\x1b[2J", "w" * (LONGEST + 1)])
def test_unusable_fact_is_refused(file: MemoryFile, text: str) -> None:
    with pytest.raises(UsageError, match=r"no text to remember|at most 500 characters"):
        file.add(text, "x", DAY)
    assert not file.path.exists()


def test_file_does_not_grow_without_limit(file: MemoryFile) -> None:
    file.replace("", "- x\n" * (LARGEST // 4 - 10))
    with pytest.raises(UsageError, match="would have more than 64,000 bytes"):
        file.add("y" * 100, "x", DAY)
    assert file.facts()[-1].text == "x"


def test_key_is_masked(file: MemoryFile) -> None:
    file.add(f"The key is {KEY}.", "x", DAY)
    assert KEY not in file.text()
