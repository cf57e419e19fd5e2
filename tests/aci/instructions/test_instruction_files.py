"""Which instruction files of a tree apply to a path, and what is read of them."""

from __future__ import annotations

import pytest

from aci.instructions.instruction_files import LARGEST, MOST_READ, Instructions
from tests.aci.instructions.conftest import MakeInstructions, Reads


def applying(instructions: Instructions, path: str) -> list[str]:
    return [file.path for file in instructions.chain(path)]


def texts(instructions: Instructions, path: str = "") -> dict[str, str]:
    return {one.path: one.text for one in instructions.read(instructions.chain(path))}


def test_files_of_root_and_of_folders_above_apply(make_instructions: MakeInstructions) -> None:
    names = (
        "AGENTS.md",
        ".github/copilot-instructions.md",
        ".claude/CLAUDE.md",
        "GEMINI.md",
        "docs/CONTRIBUTING.md",
        "docs/AGENTS.md",
        "docs/agents.md",
        "a/AGENTS.md",
        "a/b/CLAUDE.md",
        "c/AGENTS.md",
    )
    found = make_instructions({name: name for name in names})
    root = ["AGENTS.md", ".claude/CLAUDE.md", "GEMINI.md", ".github/copilot-instructions.md", "docs/CONTRIBUTING.md"]
    assert applying(found, "") == applying(found, ".") == applying(found, "x.py") == root
    assert applying(found, "a/b/x.py") == [*root, "a/AGENTS.md", "a/b/CLAUDE.md"]
    assert applying(found, "docs/index.md") == [*root, "docs/AGENTS.md"]


def test_cursor_rule_applies_always_or_by_its_patterns(make_instructions: MakeInstructions) -> None:
    rules = {
        ".cursor/rules/always.mdc": "---\nalwaysApply: true\n---\nA",
        ".cursor/rules/asked.mdc": "---\ndescription: about releases\n---\nB",
        ".cursor/rules/plain.md": "C",
        ".cursor/rules/python.mdc": "---\nglobs: src/**/*.py, *.toml\n---\nD",
        "web/.cursor/rules/ts.mdc": "---\nglobs: '*.ts'\n---\nE",
    }
    found = make_instructions(rules)
    always = [".cursor/rules/always.mdc", ".cursor/rules/plain.md"]
    assert applying(found, "x.js") == always
    assert applying(found, "src/deep/x.py") == [*always, ".cursor/rules/python.mdc"]
    assert applying(found, "web/x.ts") == [*always, "web/.cursor/rules/ts.mdc"]
    assert texts(found)[".cursor/rules/always.mdc"] == "A"


@pytest.mark.parametrize("pointer", ["@AGENTS.md\n", "# Claude\n\nSee [AGENTS.md](AGENTS.md).\n", "Use tabs.\n"])
def test_same_text_under_two_names_is_read_once(make_instructions: MakeInstructions, pointer: str) -> None:
    found = make_instructions({"AGENTS.md": "Use  tabs.\n", "CLAUDE.md": pointer})
    assert texts(found) == {"AGENTS.md": "Use  tabs."}
    assert list(texts(make_instructions({"CLAUDE.md": "Use tabs.\n"}))) == ["CLAUDE.md"]


def test_text_beside_a_reference_is_kept(make_instructions: MakeInstructions) -> None:
    found = make_instructions({"AGENTS.md": "Use tabs.", "CLAUDE.md": "See AGENTS.md.\n\nThink first.\n"})
    assert list(texts(found)) == ["AGENTS.md", "CLAUDE.md"]


def test_imports_stay_inside_the_tree(make_instructions: MakeInstructions, reads: Reads) -> None:
    lines = ["@docs/style.md", "@../../etc/passwd.md", "@/etc/passwd.txt", "@~/.claude/me.md", "@link.md", "@none.md"]
    files = {"CLAUDE.md": "Rules:\n" + "\n".join(lines), "docs/style.md": "Use tabs.\n@other.md", "docs/other.md": "x"}
    found = make_instructions(files, links={"link.md": "/etc/passwd"})
    assert list(texts(found)) == ["CLAUDE.md", "docs/style.md"]
    assert set(reads) == {"CLAUDE.md", "docs/style.md"}


def test_links_binary_and_oversized_files_are_not_read(make_instructions: MakeInstructions, reads: Reads) -> None:
    files = {"CLAUDE.md": b"\0\xff", "GEMINI.md": b"x" * 10_000_000, "a/AGENTS.md": "x" * (LARGEST + 1)}
    found = make_instructions(files, links={"AGENTS.md": "/etc/passwd", ".agents/skills/x/SKILL.md": "/etc/passwd"})
    assert texts(found, "a/x.py") == {}
    assert found.skills == ()
    assert set(reads) == {"CLAUDE.md"}


def test_invalid_utf_8_is_replaced(make_instructions: MakeInstructions) -> None:
    assert texts(make_instructions({"AGENTS.md": b"Use \xff tabs.\r\nAlways.\r\n"})) == {
        "AGENTS.md": "Use \ufffd tabs.\nAlways."
    }


def test_number_of_files_is_limited(make_instructions: MakeInstructions, reads: Reads) -> None:
    deep = "/".join(["d"] * 500)
    nested = {f"{deep[: 2 * n]}AGENTS.md": f"level {n}" for n in range(500)}
    many = {f"p{n}/AGENTS.md": f"package {n}" for n in range(10_000)}
    rules = {f".cursor/rules/{n}.md": f"rule {n}" for n in range(1_000)}
    found = make_instructions({**nested, **many, **rules})
    assert len(texts(found, f"{deep}/x.py")) == MOST_READ
    assert len(reads) < 4 * MOST_READ


def test_name_that_cannot_be_shown_is_left_out(make_instructions: MakeInstructions) -> None:
    found = make_instructions({"a\n<issue>/AGENTS.md": "x", "b\x1b[31m/CLAUDE.md": "y"})
    assert found.by_folder == {}
