"""Untrusted YAML as plain lists, mappings and texts, within limits."""

from __future__ import annotations

LONGEST, DEEPEST, MOST_NODES = 200_000, 20, 20_000
"""Maximum number of characters, of collections inside each other, and of values."""

Plain = str | list["Plain"] | dict[str, "Plain"]


def load_plain(text: str) -> Plain:
    """Return the first document of a YAML text; "" if it is empty, not valid, or exceeds a limit.

    All scalars are texts. Anchors, aliases, tags and merge keys are not resolved: an alias is "". Only the events of
    the parser are read, so nothing is expanded, and no nesting ends this process.
    """
    import yaml

    if len(text) > LONGEST:
        return ""
    root: list[Plain] = []
    open_nodes: list[tuple[Plain, list[str]]] = [(root, [])]
    """The collections around the present place, each with the key that waits for its value."""
    count = 0
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader)):
            if isinstance(event, yaml.CollectionEndEvent):
                open_nodes.pop()
            elif isinstance(event, yaml.NodeEvent):
                count += 1
                if count > MOST_NODES or len(open_nodes) > DEEPEST:
                    return ""
                is_mapping = isinstance(event, yaml.MappingStartEvent)
                node: Plain = {} if is_mapping else [] if isinstance(event, yaml.SequenceStartEvent) else ""
                if isinstance(event, yaml.ScalarEvent):
                    node = str(event.value)
                _add(open_nodes[-1], node)
                if isinstance(event, yaml.CollectionStartEvent):
                    open_nodes.append((node, []))
            elif isinstance(event, yaml.DocumentEndEvent):
                break
    except (yaml.YAMLError, RecursionError, ValueError):
        return ""
    return root[0] if root else ""


def _add(place: tuple[Plain, list[str]], node: Plain) -> None:
    """Add a node to a collection. A key that is no text counts as ""."""
    parent, waiting = place
    if isinstance(parent, list):
        parent.append(node)
    elif isinstance(parent, dict) and waiting:
        parent[waiting.pop()] = node
    else:
        waiting.append(node if isinstance(node, str) else "")
