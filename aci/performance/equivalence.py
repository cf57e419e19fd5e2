"""Whether two versions of a function do the same: what each answers to the same calls, and in words where they differ.

An answer holds what was returned (types, order of iteration, laziness, aliases of the arguments), or the exception,
the arguments afterwards, what was printed and what was warned of. The function runs in the process that tells of it:
answers go through a descriptor opened before it was imported, behind a token; code that searches the memory of its
own process for that could still forge them.
"""

from __future__ import annotations

import json
import re
import secrets
import shlex
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aci.forms import first_difference, shown, shown_call
from aci.target import SESSION, Target, place, python_line
from aci.workspace import Workspace
from trajectories.errors import Cancelled, UsageError

if TYPE_CHECKING:
    from aci.inputs import Call

PACKAGE = "swe_agent_inputs"
FILES = (
    *("subject", "keeping", "apart", "canonical", "answering"),
    *("recording", "gathering", "varying", "growing"),
)
LAUNCH = (
    "import sys; sys.path.insert(0, sys.argv[1]); import importlib as i;"
    f"main = i.import_module('{PACKAGE}.' + sys.argv[2]).main; sys.path.pop(0); main(sys.argv[3])"
)
ARGUMENT = re.compile(r"^\[0\]\[(\d+)\]|^\[1\]\['?(.*?)'?\]")
MOST_DIFFERENCES, MOST_TOLD, START = 8, 400, 120.0
SILENT = {"late", "unread", "unreadable"}
"""Answers of the original that say nothing about what another version has to do."""
STACK = "builtins.RecursionError"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one call did.

    `kind`: returned, raised; late (took longer than it may), died (ended the process), unreadable (the call cannot be
    loaded there), unread (too large to be told). `value` and `arguments` are canonical forms (`aci/inside/
    canonical.py`), `later` the arguments once what is lazy has run. `call` shows the call, and is not compared.
    """

    kind: str
    value: Any = None
    arguments: Any = None
    later: Any = None
    printed: str = ""
    warned: tuple[tuple[str, str], ...] = ()
    text: str = ""
    call: str = field(default="", compare=False)


def answers(
    room: Workspace, target: Target, calls: Sequence[Call], timeout: float = 10.0, hash_seed: int = 0
) -> tuple[Answer, ...]:
    """Run each call with fresh arguments, all in one process; `timeout` is in seconds of wall time a call.

    With another `hash_seed`, calls whose answer depends on the order of sets answer differently. Raises UsageError if
    the function cannot be imported, Cancelled.
    """
    if not calls:
        return ()
    job = {"root": room.root, "path": target.path, "name": target.name, "seconds": timeout}
    lines = ask(room, "answering", job, [call.data for call in calls], 180 + len(calls) * (timeout + 2), hash_seed)
    if any(line.get("kind") == "broken" for line in lines):
        raise UsageError(f"{target} cannot be imported: {shown(str(lines[-1].get('text')), 500)}")
    lines += [{"kind": "died", "text": "nothing was told of it"}] * (len(calls) - len(lines))
    silent = [n for n, line in enumerate(lines) if "asked" not in line]
    if silent:
        told = ask(room, "answering", {**job, "load": True}, [calls[n].data for n in silent], 180 + len(calls) * 12)
        for n, line in zip(silent, told, strict=False):
            lines[n] = {**lines[n], "asked": line.get("asked")}
    return tuple(_answer(target.name, line) for line in lines[: len(calls)])


def differences(before: Sequence[Answer], after: Sequence[Answer], tolerance: float = 0.0) -> list[str]:
    """In words where the later answers are not the earlier ones; an empty list if they are the same.

    `tolerance` is relative and for floats alone; with it, 0.0 and -0.0 are the same as well. Nothing is said of a call
    that was too slow or too large before, or that used up the stack. Texts are escaped, the list is bounded.
    """
    told: list[str] = []
    if len(before) != len(after):
        told.append(f"{len(before)} calls were answered before, {len(after)} are now")
    found = [f"{b.call}: {said}" for b, a in zip(before, after, strict=False) if (said := _difference(b, a, tolerance))]
    told += [one[:MOST_TOLD] for one in found[:MOST_DIFFERENCES]]
    if len(found) > MOST_DIFFERENCES:
        told.append(f"and {len(found) - MOST_DIFFERENCES} calls more")
    return told


def is_telling(answer: Answer) -> bool:
    """Whether an answer of the original says what another version has to do: it returned, or raised.

    False for what was too slow, too large, not to be loaded, the death of the process, and a stack that was used up;
    `differences` passes those over, so calls answered thus are to be left out before they are counted as evidence.
    """
    return answer.kind in ("returned", "raised") and not _used_up_the_stack(answer)


def _used_up_the_stack(answer: Answer) -> bool:
    return answer.kind == "raised" and isinstance(answer.value, list) and answer.value[1:2] == [STACK]


def _difference(before: Answer, after: Answer, tolerance: float) -> str:
    if before.kind in SILENT or _used_up_the_stack(before):
        return ""
    if before.kind != after.kind:
        return f"{_done(before, 'was')}, {_done(after, 'is')}"
    if where := first_difference(before.value, after.value, tolerance):
        return _place("", where)
    for name, b, a in (
        ("afterwards", before.arguments, after.arguments),
        ("once what is lazy has run,", before.later, after.later),
    ):
        if where := first_difference(b, a, tolerance):
            place = ARGUMENT.sub(lambda found: f"argument {int(found[1]) + 1 if found[1] else found[2]}", where[0])
            return _place(name, (place or "the arguments", where[1], where[2]))
    if before.printed != after.printed:
        return f"printed {shown(before.printed)}, prints {shown(after.printed)}"
    if before.warned != after.warned:
        return f"warned of {_warned(before)}, warns of {_warned(after)}"
    return "" if before.text == after.text else f"was {shown(before.text)}, is {shown(after.text)}"


def _done(answer: Answer, word: str) -> str:
    if answer.kind in ("returned", "raised"):
        return f"{word} {shown(answer.value)}"
    return {
        "late": f"{word} too slow",
        "died": f"{word} the end of the process ({shown(answer.text)})",
        "unreadable": f"{word} not even loaded ({shown(answer.text)})",
    }.get(answer.kind, f"{word} {answer.kind} ({shown(answer.text)})")


def _place(name: str, where: tuple[str, Any, Any]) -> str:
    place, before, after = where
    words = " ".join(filter(None, (name, place if name else place and f"at {place}")))
    return f"{words} was {shown(before)}, is {shown(after)}".strip()


def _warned(answer: Answer) -> str:
    return "; ".join(f"{kind} {shown(text)}" for kind, text in answer.warned) or "nothing"


def ask(
    room: Workspace, entry: str, job: Mapping[str, Any], calls: Iterable[bytes], seconds: float, hash_seed: int = 0
) -> list[dict[str, Any]]:
    """Run one of our programs in the room on these calls; the objects that it wrote, one a line. Raises Cancelled."""
    folder = f"{room.harness}/inputs-{secrets.token_hex(6)}"
    install(room)
    given, out, file = f"{folder}/calls", f"{folder}/answers", f"{folder}/job.json"
    room.write(given, packed(calls))
    room.write(file, json.dumps({**job, "calls": given, "out": out}).encode())
    line = python_line(room, ["-B", "-c", LAUNCH, room.harness, entry, file])
    ran = room.run(f"(export PYTHONHASHSEED={hash_seed}; echo {secrets.token_hex(16)} | {line})", seconds, SESSION)
    if ran.code == 130:
        raise Cancelled("The calls were interrupted.")
    try:
        data = room.read(out)
    except FileNotFoundError:
        said = shown(ran.text.strip()[-500:], 500)
        raise UsageError(f"The workspace's Python cannot run calls: {said}", "See that it has a Python 3.7.") from None
    finally:
        room.run(f"rm -rf {shlex.quote(folder)}", session=SESSION)
    return list(objects(data))


def install(room: Workspace) -> None:
    """Put our programs into the room's harness."""
    place(room, "__init__", *FILES, inside=PACKAGE)


def packed(parts: Iterable[bytes]) -> bytes:
    """Each part behind its length."""
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)


def objects(data: bytes) -> Iterable[dict[str, Any]]:
    """The whole lines that are JSON objects."""
    for line in data.split(b"\n")[:-1]:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            yield value


def _answer(name: str, line: Mapping[str, Any]) -> Answer:
    warned = line.get("warned")
    pairs = [(str(each[0]), str(each[1])) for each in warned] if isinstance(warned, list) else []
    return Answer(
        str(line.get("kind")),
        line.get("value"),
        line.get("arguments"),
        line.get("later"),
        str(line.get("printed", "")),
        tuple(pairs),
        str(line.get("text", "")),
        shown_call(name, line.get("asked")),
    )
