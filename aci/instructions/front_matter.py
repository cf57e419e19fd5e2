"""Front matter: YAML between two lines `---` at the start of a Markdown file."""

from __future__ import annotations

import re

LONGEST = 8_000
"""Maximum number of characters of front matter that are parsed."""
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n---[ \t]*(?:\n|\Z)", re.DOTALL)


def split_front_matter(text: str) -> tuple[str, str]:
    """Return the YAML at the start of a text, "" if there is none, and the rest of the text."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    found = _FRONT_MATTER.match(text)
    return (found[1], text[found.end() :]) if found else ("", text)


def read_fields(text: str) -> dict[str, str]:
    """Return the fields of a YAML mapping whose values are plain text; after a syntax error, those before it.

    Only the events of the parser are read: no object is made, and aliases are not expanded.
    """
    import yaml

    found: dict[str, str] = {}
    depth, key, last = 0, "", ""
    try:
        for event in yaml.parse(text[:LONGEST], Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader)):
            if isinstance(event, yaml.CollectionStartEvent):
                depth, key = depth + 1, ""
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            elif depth == 1 and isinstance(event, yaml.ScalarEvent) and not key:
                key = event.value or " "
            elif depth == 1 and isinstance(event, yaml.NodeEvent):
                if isinstance(event, yaml.ScalarEvent):
                    found.setdefault(key, event.value)
                key, last = "", key
    except (yaml.YAMLError, RecursionError, ValueError):
        found.pop(last, None)  # the error may be in the rest of this value
    return found
