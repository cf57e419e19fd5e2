"""Plain option values are converted as Typer converts them, without pydantic."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer

from agent.cli.command_line import convert_plainly


def _parsed(arguments: list[str], quick: bool) -> Any:
    found: dict[str, Any] = {}
    app = typer.Typer(add_completion=False)

    @app.command()
    def main(
        text: str | None = None,
        file: Path | None = None,
        existing: Annotated[Path | None, typer.Option(exists=True)] = None,
        count: Annotated[int, typer.Option(min=1, max=9)] = 3,
        several: Annotated[list[str] | None, typer.Option()] = None,
    ) -> None:
        found.update(text=text, file=file, existing=existing, count=count, several=several)

    command = typer.main.get_command(app)
    for param in command.params if quick else ():
        convert_plainly(param)
    try:
        command.main(args=arguments, standalone_mode=False)
    except typer.TyperException as error:
        return str(error)
    return found


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--text", "", "--file", "missing"],
        ["--text", "a b", "--file", str(Path(__file__)), "--count", "9"],
        ["--count", "10"],
        ["--count", "x"],
        ["--existing", "missing"],
        ["--existing", str(Path(__file__)), "--several", "a", "--several", "b"],
    ],
)
def test_values_are_those_of_typer(arguments: list[str]) -> None:
    assert _parsed(arguments, quick=True) == _parsed(arguments, quick=False)


@pytest.mark.slow
def test_plain_values_need_no_pydantic() -> None:
    program = (
        "import sys; from agent.cli.command_line import run\n"
        "code = run(['locate', '--issue-file', 'missing', '--repo', 'missing'])\n"
        "print(code, 'pydantic' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["2", "False"], ran.stderr
