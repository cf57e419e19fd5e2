"""Records whose every text would drive a terminal, and is markup of rich's."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from trajectories.records import (
    Action,
    Base,
    Comment,
    Exit,
    Issue,
    Note,
    Observation,
    Reply,
    Run,
    Step,
    Turn,
    Usage,
    Verdict,
)

EVIL = (
    "gone\r\x1b]0;title\x07\x1b[2J\x1b[31mred\x9b1m\x1bPq\x1b\\\u202eback\x00\x08\x7f\u2028\x85\ufeff\U000e0041"
    "[bold]marked[/] [link=http://a]b[/link]"
)
DRIVES = frozenset("\x1b\x07\x9b\u202e\x00\x08\r\x7f\u2028\x85\ufeff\U000e0041")


def everything(kind: Any, /, **known: Any) -> Any:
    """A record of this type with such text wherever there is text, but for what is `known`."""
    texts = {"tuple[str, ...]": (EVIL,), "dict[str, Any]": {EVIL: EVIL}, "dict[str, str]": {"coder": EVIL, EVIL: EVIL}}
    values = {each.name: texts.get(each.type, EVIL) for each in fields(kind) if each.name != "type"}
    other = ("int", "float", "bool", "Usage", "tuple[", "Issue", "Base", "Verdict", "Any")
    plain = {each.name for each in fields(kind) if each.type.startswith(other) and each.type not in texts}
    return kind(**{name: value for name, value in values.items() if name not in plain} | known)


def hostile() -> list[Any]:
    """A record of each kind that is told; the fourth is a step that answers the third."""
    actions = (everything(Action), everything(Action, error=""))
    issue = everything(Issue, comments=(everything(Comment),))
    kinds = ("phase", "score", "candidate", "vote", "prune", "summary", "forked", "replay", "intent", EVIL)
    return [
        everything(Run, issue=issue, base=Base(EVIL, EVIL, 1), settings={"workspace": EVIL}),
        everything(Turn),
        everything(Reply, ask=1, actions=actions, usage=Usage(1)),
        everything(Step, n=1, reply=1, actions=actions, observations=(everything(Observation),) * 3),
        *(everything(Note, kind=kind) for kind in kinds),
        everything(Exit, code=1, verdict=everything(Verdict, red=True)),
    ]
