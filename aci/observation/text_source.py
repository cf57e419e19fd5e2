"""The source of a tool's text: who wrote it, and how a report names it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TextOwner = Literal["repository", "program", "harness", "unknown"]


@dataclass(frozen=True, slots=True)
class TextSource:
    """Whose text a tool returns. By default, the text is untrusted and its writer unknown.

    `owner` is `repository` for the repository's own text, `program` for the output of a program, `harness` for text of
    this program about what the model itself wrote, which is the only trusted text, and `unknown` for anything else.
    `title` begins a sentence about the text; `{}` stands for the value of the argument `argument` (a path or a
    command), or for the tool's name if `argument` is empty.
    """

    owner: TextOwner = "unknown"
    title: str = "The result of {}"
    argument: str = ""


UNKNOWN_SOURCE = TextSource()
