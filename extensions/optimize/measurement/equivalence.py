"""Equivalence check of two versions of a function: the outcomes of the same calls, and descriptions of the differences.

An answer contains the returned value (types, order of iteration, laziness, aliases of the arguments) or the exception,
the arguments afterwards, the printed text and the warnings. The function runs in the same process that reports its
answers. Answers are written with a token to a file descriptor that is opened before the function is imported; code that
searches its own process's memory for the token could still forge them.
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

from aci.runtime.guest_programs import install_programs, parse_object
from aci.runtime.target_function import SESSION, Target, python_line
from aci.runtime.workspace import Workspace
from extensions.experiment.canonical_values import first_difference, format_call, format_value, is_explicit
from trajectories.errors import Cancelled, UsageError

if TYPE_CHECKING:
    from extensions.optimize.measurement.input_calls import InputCall

ARGUMENT = re.compile(r"^\[0\]\[(\d+)\]|^\[1\]\['?(.*?)'?\]")
MOST_DIFFERENCES, LONGEST_LINE, START = 8, 400, 120.0
SILENT = {"late", "unread", "unreadable"}
"""Kinds of answers of the original function that do not define the expected behaviour of another version."""
STACK = "builtins.RecursionError"


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of one call.

    `kind` is one of: returned, raised, late (exceeded its time limit), died (ended the process), unreadable (the call
    cannot be loaded in the workspace), unread (the answer is too large to report). `value` and `arguments` are
    canonical forms (`guest/canonical_forms.py`); `later` holds the arguments after lazy results were consumed.
    `call` is the call as text; `strange` and `derived` (from recorded calls) are properties of the call. They are not
    compared.
    """

    kind: str
    value: Any = None
    arguments: Any = None
    later: Any = None
    printed: str = ""
    warned: tuple[tuple[str, str], ...] = ()
    text: str = ""
    call: str = field(default="", compare=False)
    strange: bool = field(default=False, compare=False)
    derived: bool = field(default=False, compare=False)


def collect_answers(
    room: Workspace, target: Target, calls: Sequence[InputCall], timeout: float = 10.0, hash_seed: int = 0
) -> tuple[Answer, ...]:
    """Run each call with fresh arguments, all in one process; `timeout` is the processor time in seconds for each call.

    A different `hash_seed` changes the answers of calls that depend on the order of sets. Raises UsageError if the
    function cannot be imported, and Cancelled if the run is interrupted.
    """
    if not calls:
        return ()
    job = {"root": room.root, "path": target.path, "name": target.name, "seconds": timeout}
    lines = run_calls(
        room,
        "optimize.call_answers",
        job,
        [call.data for call in calls],
        180 + len(calls) * longest_call(timeout),
        hash_seed,
    )[: len(calls)]
    if any(line.get("kind") == "broken" for line in lines):
        raise UsageError(f"{target} cannot be imported: {format_value(str(lines[-1].get('text')), 500)}")
    lines += [{"kind": "died", "text": "there is no answer"}] * (len(calls) - len(lines))
    silent = [n for n, line in enumerate(lines) if "asked" not in line]
    if silent:
        loaded = run_calls(
            room,
            "optimize.call_answers",
            {**job, "load": True},
            [calls[n].data for n in silent],
            180 + len(calls) * longest_call(10.0),
        )
        for n, line in zip(silent, loaded, strict=False):
            lines[n] = {**lines[n], "asked": line.get("asked")}
    return tuple(_answer(target.name, line, call) for line, call in zip(lines, calls, strict=True))


def longest_call(seconds: float) -> float:
    """Return the wall time in seconds after which a call with this limit of processor time is stopped in any case; see
    `WAITING` in `extensions/optimize/guest/child_process.py`."""
    return 4 * seconds + 2


def describe_differences(before: Sequence[Answer], after: Sequence[Answer], tolerance: float = 0.0) -> list[str]:
    """Return descriptions of the differences between two lists of answers; an empty list if they are the same.

    `tolerance` is relative and for floats only; with it, 0.0 equals -0.0. Calls that were too slow or too large before,
    or that overflowed the stack, are skipped. In derived calls, all errors of the interpreter are alike. Of strange
    calls, only exceptions that the code before raised explicitly are compared. Values are escaped, and the number of
    descriptions is limited.
    """
    lines: list[str] = []
    if len(before) != len(after):
        lines.append(f"{len(before)} calls were answered before, {len(after)} are now")
    found = [f"{b.call}: {text}" for b, a in zip(before, after, strict=False) if (text := _difference(b, a, tolerance))]
    lines += [one[:LONGEST_LINE] for one in found[:MOST_DIFFERENCES]]
    if len(found) > MOST_DIFFERENCES:
        lines.append(f"and {len(found) - MOST_DIFFERENCES} more calls")
    return lines


def is_conclusive(answer: Answer) -> bool:
    """Return whether an answer of the original function defines the expected behaviour: the call returned or raised.

    False for calls that were too slow or too large, could not be loaded, ended the process, or overflowed the stack.
    `describe_differences` skips such calls, so they must not be counted as evidence.
    """
    return answer.kind in ("returned", "raised") and not _overflowed_stack(answer)


def raised_explicitly(answer: Answer) -> bool:
    """Return whether the call ended with an exception that the repository's code raised with a `raise` statement."""
    return answer.kind == "raised" and is_explicit(answer.value)


def _overflowed_stack(answer: Answer) -> bool:
    return has_raised(answer, STACK)


def has_raised(answer: Answer, *names: str) -> bool:
    """Return whether the call ended with an exception of one of these types, given with their modules."""
    return (
        answer.kind == "raised" and isinstance(answer.value, list) and answer.value[1:2] in [[name] for name in names]
    )


def _difference(before: Answer, after: Answer, tolerance: float) -> str:
    if before.kind in SILENT or _overflowed_stack(before) or (before.strange and not raised_explicitly(before)):
        return ""
    if before.strange and has_raised(after, "builtins.TypeError") and not raised_explicitly(after):
        return ""  # the check was not reached, since an operation refused the value's type before
    if before.derived and before.kind == after.kind == "raised" and not any(map(raised_explicitly, (before, after))):
        return ""  # which operation fails first depends on how the code is written
    if before.kind != after.kind:
        return f"{_outcome(before, 'was')}, {_outcome(after, 'is')}"
    if where := first_difference(before.value, after.value, tolerance):
        return _place("", where)
    if before.strange:
        return ""
    for name, b, a in (
        ("afterwards", before.arguments, after.arguments),
        ("after lazy results were consumed,", before.later, after.later),
    ):
        if where := first_difference(b, a, tolerance):
            place = ARGUMENT.sub(lambda found: f"argument {int(found[1]) + 1 if found[1] else found[2]}", where[0])
            return _place(name, (place or "the arguments", where[1], where[2]))
    if before.printed != after.printed:
        return f"printed {format_value(before.printed)}, prints {format_value(after.printed)}"
    if before.warned != after.warned:
        return f"warned of {_warned(before)}, warns of {_warned(after)}"
    return "" if before.text == after.text else f"was {format_value(before.text)}, is {format_value(after.text)}"


def _outcome(answer: Answer, word: str) -> str:
    if answer.kind in ("returned", "raised"):
        return f"{word} {format_value(answer.value)}"
    return {
        "late": f"{word} too slow",
        "died": f"{word} the end of the process ({format_value(answer.text)})",
        "unreadable": f"{word} not loadable ({format_value(answer.text)})",
    }.get(answer.kind, f"{word} {answer.kind} ({format_value(answer.text)})")


def _place(name: str, where: tuple[str, Any, Any]) -> str:
    place, before, after = where
    words = " ".join(filter(None, (name, place if name else place and f"at {place}")))
    return f"{words} was {format_value(before)}, is {format_value(after)}".strip()


def _warned(answer: Answer) -> str:
    return "; ".join(f"{kind} {format_value(text)}" for kind, text in answer.warned) or "nothing"


def run_calls(
    room: Workspace, entry: str, job: Mapping[str, Any], calls: Iterable[bytes], seconds: float, hash_seed: int = 0
) -> list[dict[str, Any]]:
    """Run a guest program in the workspace on these calls; return the JSON objects that it wrote. Raises Cancelled."""
    folder = f"{room.harness}/inputs-{secrets.token_hex(6)}"
    programs = install_programs(room.write, room.harness, entry)
    given, out, file = f"{folder}/calls", f"{folder}/answers", f"{folder}/job.json"
    room.write(given, pack_parts(calls))
    room.write(file, json.dumps({**job, "calls": given, "out": out}).encode())
    line = python_line(room, ["-B", programs, entry, file])
    ran = room.run(f"(export PYTHONHASHSEED={hash_seed}; echo {secrets.token_hex(16)} | {line})", seconds, SESSION)
    if ran.code == 130:
        raise Cancelled("The calls were interrupted.")
    try:
        data = room.read(out)
    except FileNotFoundError:
        output = format_value(ran.text.strip()[-500:], 500)
        fix = "Check that it has Python 3.7 or later."
        raise UsageError(f"The workspace's Python cannot run calls: {output}", fix) from None
    finally:
        room.run(f"rm -rf {shlex.quote(folder)}", session=SESSION)
    return list(parse_lines(data))


def pack_parts(parts: Iterable[bytes]) -> bytes:
    """Return the parts joined, each preceded by its length."""
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)


def parse_lines(data: bytes) -> Iterable[dict[str, Any]]:
    """Yield the JSON objects in complete lines."""
    for line in data.split(b"\n")[:-1]:
        if (value := parse_object(line)) is not None:
            yield value


def _answer(name: str, line: Mapping[str, Any], call: InputCall) -> Answer:
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
        format_call(name, line.get("asked")),
        call.strange,
        call.origin in ("mutated", "unseen"),
    )
