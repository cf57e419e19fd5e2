"""The terminal recording in the README: runs the demo and renders its output as SVG.

.venv/bin/python scripts/picture.py docs/demo.svg [EXAMPLE]
"""

from __future__ import annotations

import io
import os
import pty
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

WIDTH = 110


def record_output(command: list[str]) -> str:
    """Return the output that a command writes to a terminal of WIDTH columns."""
    output = bytearray()

    def read(descriptor: int) -> bytes:
        data = os.read(descriptor, 4096)
        output.extend(data)
        return data

    os.environ.update(COLUMNS=str(WIDTH), TERM="xterm-256color")
    pty.spawn(command, read)
    return output.decode("utf-8", "replace").replace("\r\n", "\n")


def main() -> None:
    target, *example = sys.argv[1:]
    text = record_output([sys.executable, str(Path(__file__).with_name("demo.py")), *example])
    text = re.sub(r"/\S*/swe-agent-demo-\w+/", "~/", text)
    text = re.sub(r"/\S*/(examples|runs)/", r"…/\1/", text)
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(text.strip()), soft_wrap=False)
    svg = console.export_svg(title="make demo")
    Path(target).write_text(re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL), "utf-8")


if __name__ == "__main__":
    main()
