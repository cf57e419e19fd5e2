"""How many instructions a command executes: the same number each time, whatever else the machine does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agent.options import Json, Plain

if TYPE_CHECKING:
    from aci.counting_command import Command


def command(
    words: Annotated[list[str], typer.Argument(help="The command, behind `--`.", metavar="-- COMMAND")],
    repeat: Annotated[int, typer.Option(help="How often it is run.", min=1, max=1000, metavar="N")] = 1,
    json: Json = False,
    plain: Plain = False,
) -> int:
    """How many instructions a command executes, with all processes and threads that it starts.

    By the processor's counter where there is one, else by valgrind, which is about 26 times as slow as the command,
    else by opcode events of Python. With --json the command's own output goes to stderr.
    Exit codes: 0 counted, whatever the command's own was, 2 usage, 130 interrupted.
    """
    import sys

    from aci.counting_command import count_command
    from aci.counting_job import spread

    stdout = sys.stderr.buffer if json else None
    sys.stdout.flush()
    found = [count_command(words, stdout)]
    found += [count_command(words, stdout, found[0].backend) for _ in range(repeat - 1)]
    apart = spread([each.instructions for each in found])
    if json:
        from json import dumps

        told = {"backend": found[0].backend, "counts": [each.instructions for each in found], "spread": apart}
        exits = [each.code for each in found]
        typer.echo(dumps({**told, "exits": exits, "conditions": found[0].conditions}))
    else:
        _show(found, apart, plain)
    return 0


def _show(found: list[Command], apart: float, plain: bool) -> None:
    from aci.view import clean
    from agent.terminal import console

    out = console(plain)
    for each in found:
        failed = f", exit {each.code}" if each.code else ""
        out.print(f"{each.instructions:,} instructions ({each.backend}{failed})")
    if len(found) > 1:
        out.print(f"spread {apart:.4%}")
    for name, value in found[0].conditions.items():
        out.print(clean(f"  {name}: {value}"))
