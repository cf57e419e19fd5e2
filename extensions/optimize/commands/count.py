"""Count the instructions that a command executes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli import shared_options as options

if TYPE_CHECKING:
    from extensions.optimize.measurement.command_count import CommandCount


def command(
    words: Annotated[list[str], typer.Argument(help="The command, after `--`.", metavar="-- COMMAND")],
    repeat: Annotated[int, typer.Option(help="Number of times to run the command.", min=1, max=1000, metavar="N")] = 1,
    json: options.Json = False,
    plain: options.Plain = False,
) -> int:
    """Count the instructions that a command executes, including all processes and threads that it starts.

    `count` uses the processor's counter if there is one. Otherwise, it uses Valgrind, with which the command takes
    about 26 times as long. If Valgrind is missing, `count` uses Python's opcode events. With --json, the output of the
    command is written to stderr.

    Exit codes: 0 (counted, whatever the command's exit code), 2 (usage), 130 (interrupted).
    """
    import sys

    from extensions.optimize.measurement.command_count import count_command
    from extensions.optimize.measurement.count_job import relative_spread

    stdout = sys.stderr.buffer if json else None
    sys.stdout.flush()
    found = [count_command(words, stdout)]
    found += [count_command(words, stdout, found[0].backend) for _ in range(repeat - 1)]
    apart = relative_spread([each.instructions for each in found])
    if json:
        from json import dumps

        document = {"backend": found[0].backend, "counts": [each.instructions for each in found], "spread": apart}
        exits = [each.code for each in found]
        typer.echo(dumps({**document, "exits": exits, "conditions": found[0].conditions}))
    else:
        _show(found, apart, plain)
    return 0


def _show(found: list[CommandCount], apart: float, plain: bool) -> None:
    from aci.observation.untrusted_text import clean_text
    from agent.console.rich_terminal import console

    out = console(plain)
    for each in found:
        failed = f", exit {each.code}" if each.code else ""
        out.print(f"{each.instructions:,} instructions ({each.backend}{failed})")
    if len(found) > 1:
        out.print(f"spread {apart:.4%}")
    for name, value in found[0].conditions.items():
        out.print(clean_text(f"  {name}: {value}"))
