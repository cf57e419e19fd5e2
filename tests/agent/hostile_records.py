"""Records in which every text contains control characters and rich markup."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from trajectories.records import Action, Base, Comment, Exit, Issue, Note, Observation, Reply, Run, Step, Turn, Usage
from trajectories.verdict import Verdict

EVIL = (
    "gone\r\x1b]0;title\x07\x1b[2J\x1b[31mred\x9b1m\x1bPq\x1b\\\u202eback\x00\x08\x7f\u2028\x85\ufeff\U000e0041"
    "[bold]marked[/] [link=http://a]b[/link]"
)
DRIVES = frozenset("\x1b\x07\x9b\u202e\x00\x08\r\x7f\u2028\x85\ufeff\U000e0041")


def build_record(kind: Any, /, **known: Any) -> Any:
    """Build a record of this type with `EVIL` as every text, except for the `known` fields."""
    texts = {"tuple[str, ...]": (EVIL,), "dict[str, Any]": {EVIL: EVIL}, "dict[str, str]": {"coder": EVIL, EVIL: EVIL}}
    values = {item.name: texts.get(item.type, EVIL) for item in fields(kind) if item.name != "type"}
    other = ("int", "float", "bool", "Usage", "tuple[", "Issue", "Base", "Verdict", "Any")
    plain = {item.name for item in fields(kind) if item.type.startswith(other) and item.type not in texts}
    return kind(**{name: value for name, value in values.items() if name not in plain} | known)


def hostile() -> list[Any]:
    """Return a record of each kind that is shown; the fourth is a step that answers the third."""
    actions = (build_record(Action), build_record(Action, error=""))
    issue = build_record(Issue, comments=(build_record(Comment),))
    kinds = ("phase", "score", "candidate", "vote", "prune", "summary", "forked", "replay", "intent", EVIL)
    return [
        build_record(Run, issue=issue, base=Base(EVIL, EVIL, 1), settings={"workspace": EVIL}),
        build_record(Turn),
        build_record(Reply, ask=1, actions=actions, usage=Usage(1)),
        build_record(Step, n=1, reply=1, actions=actions, observations=(build_record(Observation),) * 3),
        *(build_record(Note, kind=kind) for kind in kinds),
        build_record(Exit, code=1, verdict=build_record(Verdict, red=True)),
    ]
