"""Each command line of README.md and docs/ is one that the program accepts: subcommand, options and arguments."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
import typer

from agent.cli.command_line import build_command_line
from tests.guides.command_lines import ROOT, CommandLine, command_lines, inline_commands, page_names
from trajectories.errors import SweAgentError

BENCHMARK = re.compile(r"-m benchmarks\.([a-z]\w*(?:[^`|\n\\]|\\\n|(?<=[^\n\\])\n(?!\n))*)[`|\n]")
TARGETS = re.compile(r"(?:^    |`)make ((?:[a-z-]+ ?)+)", re.MULTILINE)


def parse(words: Sequence[str]) -> Any:
    """Parse a command line as the program does, without running it; return the context of its subcommand."""
    application = build_command_line()
    context = application.make_context("swe-agent", list(words))
    name, command, rest = application.resolve_command(context, [*context._protected_args, *context.args])
    return command.make_context(name, rest, parent=context)


def fault(command: CommandLine) -> str:
    """Return why the program refuses a command line, or ''."""
    try:
        parse(command.words[1:])
    except typer.Exit:  # --help
        return ""
    except (typer.TyperException, SweAgentError) as error:
        return f"{command.place}: {command.text}: {error}"
    return ""


@pytest.mark.slow
@pytest.mark.parametrize("page", page_names())
def test_commands_of_page_are_accepted(page: str) -> None:
    assert list(filter(None, map(fault, command_lines(page)))) == []


@pytest.mark.parametrize("page", page_names())
def test_commands_in_sentences_are_accepted(page: str) -> None:
    faults = filter(None, map(fault, inline_commands(page)))
    assert [one for one in faults if "Missing parameter" not in one] == [], "a sentence may leave out arguments"


@pytest.mark.parametrize("page", page_names())
def test_benchmarks_of_page_exist_with_their_options(page: str) -> None:
    for command in BENCHMARK.findall((ROOT / page).read_text("utf-8")):
        module, *words = command.replace("\\\n", " ").split()
        source = ROOT / f"benchmarks/{module}.py"
        assert source.is_file(), command
        text = source.read_text("utf-8")
        options = [word.strip("[].,")[2:] for word in words if word.startswith("--")]
        assert [name for name in options if not re.search(f'"(--)?{name}"|--{name}\\b', text)] == []


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/extending.md"])
def test_targets_of_make_exist(page: str) -> None:
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {word for line in TARGETS.findall((ROOT / page).read_text("utf-8")) for word in line.split()}
    assert named - known == set()
