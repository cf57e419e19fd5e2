"""Recognition of documented commands by their form."""

from __future__ import annotations

from unittest.mock import Mock

import pytest

from aci.instructions import documented_commands
from aci.instructions.documented_commands import (
    LARGEST,
    MOST_FILES,
    bare_command,
    classify,
    find_commands,
    find_recipe,
    plain_command,
    root_commands,
)
from aci.instructions.instruction_files import Instruction, Instructions
from trajectories.git_store.object_reader import Entry


def commands(text: str, first_line: int = 0) -> list[tuple[str, str, str]]:
    found = find_commands([Instruction("AGENTS.md", 0, text, first_line)])
    return [(one.kind, one.text, one.where) for one in found]


def test_commands_are_found_with_their_lines() -> None:
    text = """\
# Working here

## Set-up

```bash
$ pip install -r requirements/dev.txt   # once
make install
```

## Tests

Run `make unit` before each commit; `ruff check src`
lints.

    go test ./...
"""
    assert commands(text) == [
        ("setup", "pip install -r requirements/dev.txt", "AGENTS.md, line 6"),
        ("setup", "make install", "AGENTS.md, line 7"),
        ("lint", "ruff check src", "AGENTS.md, line 12"),
        ("test", "go test ./...", "AGENTS.md, line 15"),
    ]
    assert commands("Test with `make test`.", first_line=4) == [("test", "make test", "AGENTS.md, line 5")]


@pytest.mark.parametrize(
    "text",
    [
        "Never run `make test`; it takes hours.",
        "## Tests\n\nDo not use `make test`.",
        "We don't test with `make test`.",
        "A word on `make test` in prose.",
        "```python\nmake test\n```",
        "## Tests\n\n```\n# never on a laptop\nmake test\n```",
        "make test",
        "## Tests\n\nNever run this:\n\n```sh\nmake test\n```",
        "## Tests\n\nRun a single test with `pytest tests/test_a.py::test_b`.",
        "## Tests\n\n`pnpm test:watch` and `npm run build:watch` rerun.",
        "## Tests\n\n<!-- `make test` -->\n\n`something else`",
    ],
)
def test_text_that_names_no_command_to_run_is_ignored(text: str) -> None:
    assert [one for one in commands(text) if one[1] == "make test" and "<!--" not in text] == []
    assert "<!--" in text or commands(text) == []


@pytest.mark.parametrize(
    "hostile",
    [
        "pytest; curl https://evil.example",
        "pytest && curl evil.example",
        "pytest | sh",
        "pytest $(id)",
        "pytest ${HOME}",
        "pytest > /etc/passwd",
        "LD_PRELOAD=./x.so pytest",
        "pytest\ncurl evil.example",
        "pytest \\",
        "pytest -p evil\x1b[0m",
        "pytest ../../outside",
        "/tmp/pytest",
        "make -C / test",
        "make -C sub test",
        "ctest --test-dir /etc",
        "ctest --test-dir=/etc",
        "rake test -f /home/u/Rakefile",
        "rake test -f/home/u/Rakefile",
        "gradle -p.. test",
        "pytest @/etc/arguments",
        "make test SHELL='curl;'",
        "make test\u202e",
        "pytest " + "x" * 300,
        "pytest 'unclosed",
        "curl https://evil.example",
        "pytesting",
    ],
)
def test_shell_tricks_are_no_commands(hostile: str) -> None:
    assert classify(plain_command(hostile)) is None
    first = hostile.partition("\n")[0]
    found = {command for _, command, _ in commands(f"## Test\n\n```sh\n{hostile}\n```\n\nTest with `{first}`.")}
    assert found <= ({"pytest"} if "\n" in hostile else set())


def test_words_are_quoted_again() -> None:
    assert plain_command("pip install '.[dev]'") == "pip install '.[dev]'"
    assert plain_command("go test ./...") == "go test ./..."
    assert classify("make -j4 test") == classify("make -j test") == "test"
    assert plain_command('pytest -m "not slow"') == "pytest -m 'not slow'"


def test_programs_that_choose_an_environment_are_dropped() -> None:
    assert bare_command("uv run --group=dev python -m pytest -q") == "pytest -q"
    assert bare_command("poetry run ./run_tests.sh") == "./run_tests.sh"
    assert classify("uv run pytest") == classify("bundle exec rspec") == "test"


def test_number_of_commands_is_limited() -> None:
    code = "\n".join(f"make test-{n}" for n in range(10_000))
    assert len(commands(f"## Tests\n\n```\n{code}\n```")) == 50


def test_work_on_hostile_files_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    split = Mock(wraps=documented_commands.split_inline)
    monkeypatch.setattr(documented_commands, "split_inline", split)
    commands("# Tests\n\n" + "Run `pytest`.\n\n" * 1_000)
    assert split.call_count <= documented_commands.MOST
    warnings = Mock(wraps=documented_commands._NOT)
    monkeypatch.setattr(documented_commands, "_NOT", warnings)
    assert commands("Never run " + "`pytest` " * 1_000) == []
    assert warnings.search.call_count == 1
    long_line = "pytest" + " " * 400 + "# all"
    assert commands(f"# Tests\n\n```\n{long_line}\n```") == []


def test_few_files_are_searched() -> None:
    data = {f".cursor/rules/{n}.md": b"Test with `make test-%d`." % n for n in range(9)}
    entries = {path: Entry("100644", path, len(text)) for path, text in data.items()}
    found = root_commands(Instructions(entries, lambda id: data[id]))
    assert [one.text for one in found] == [f"make test-{n}" for n in range(MOST_FILES)]


def test_each_rule_of_a_makefile_is_read_once() -> None:
    chain = "".join(f"t{n}: t{n + 1} t{n + 2} t0\n\techo {n}.\n" for n in range(100))
    recipe = find_recipe("make t0", lambda path: chain) or ""
    assert sorted(recipe.split("\n")) == sorted(f"\techo {n}." for n in range(100))
    assert find_recipe("make t0", lambda path: chain + "#" * LARGEST) is None


def test_recipe_includes_prerequisites() -> None:
    makefile = (
        "test: unit lint\n\t@echo done\nunit:\n\tpython -m pytest\nlint: test\n\truff check\n\nother:\n\tcurl x\n"
    )
    files = {"Makefile": makefile, "justfile": "test *args:\n    cargo test {{args}}\n"}

    def look(path: str) -> str:
        return files.get(path, "")

    recipe = find_recipe("make test", look) or ""
    assert "python -m pytest" in recipe
    assert "curl" not in recipe
    assert "cargo test" in (find_recipe("just test", look) or "")
    assert find_recipe("make missing", look) is find_recipe("pytest", look) is None
