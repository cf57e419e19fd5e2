"""What a model sees of the world: clean text, no secrets, short, with an address for the rest.

`show` does all of it for the output of a command. Every step is a pure function, and doing it twice changes nothing.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from aci.cleaning import clean as clean
from aci.condense import MARK, condense, trouble
from aci.disguises import hide
from aci.listing import few_of_each, outlined
from aci.testlog import digest_text

Kind = Literal["listing", "search", "view", "tests", "other"]
CAPS: dict[Kind, int] = {"listing": 2_000, "search": 4_000, "view": 16_000, "tests": 8_000, "other": 8_000}
"""Characters an observation may have at birth (these caps save 4-28 % of an agent's input)."""

LONGEST_LINE = 2_000
LARGEST = 2_000_000
"""Characters of an output whose lines are looked at."""
WORTH = 100
"""Characters that must be saved before anything of an output that would fit is left out."""
HEAD = 0.5
"""The share of a cut text that is its beginning; failures stand at the end, what was run at the beginning."""

EXACT, SIMILAR = 4, 12
"""Fold from so many equal lines (or groups of lines), or lines that differ in numbers only."""
LARGEST_GROUP = 4
ADDRESS = 40
"""Characters that an address at the end has at most."""
MOST_TROUBLE, TROUBLE_LINE = 0.15, 200
"""The share of a cut text that lines about trouble from its middle may take, and the characters each may have."""
MASKED = "[masked]"

_PADDED = re.compile(r"^ +(\d+)\t", re.MULTILINE)
_NUMBERS = re.compile(r"0x[0-9a-fA-F]+|\d+")
_KEYS = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"sk-(?:proj|ant|or|svcacct|admin)-[\w-]{20,}|sk-(?=[A-Za-z]*\d)[A-Za-z0-9]{32,}"  # OpenAI, Anthropic, OpenRouter
    r"|gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,}|glpat-[\w-]{20,}"
    r"|(?:AKIA|ASIA)[0-9A-Z]{16}(?![0-9A-Za-z])|AIza[\w-]{35}"
    r"|xox[abeoprs]-[\w-]{10,}|hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{36}|pypi-AgE[\w-]{50,}"
    r")"
    r"|-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----[A-Za-z0-9+/=\\\s]{100,}(?:-----END (?:[A-Z]+ )*PRIVATE KEY-----)?"
)
_KEYS_BEGIN = (
    *("sk-", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "AKIA", "ASIA", "AIza", "xox"),
    *("hf_", "npm_", "pypi-AgE", "-----BEGIN "),
)
"""Looked for first: a text without any takes half the time."""


def show(
    data: bytes | str, kind: Kind = "other", keep: Callable[[bytes], int] | None = None, secrets: Iterable[str] = ()
) -> tuple[str, int | None]:
    """An output as a model sees it, and the number it is kept under if something of it is not shown.

    What is kept is the clean, masked text, so that its line numbers are those a later view counts.
    """
    whole, cap = mask(clean(data), secrets), CAPS[kind]
    whole = unpadded(whole) if kind == "view" else whole
    brief = _brief(_ends(whole), kind)
    if len(whole) <= cap and len(whole) - len(brief) < WORTH:
        return whole, None
    if keep is None:
        return shorten(brief, cap), None
    number = keep(whole.encode())
    return _addressed(brief, cap, f"out:{number}", whole), number


def _ends(text: str) -> str:
    """The text without its middle where that is so long that nobody waits for it to be read."""
    if len(text) <= LARGEST:
        return text
    head, tail = text[: LARGEST // 2].rpartition("\n")[0], text[-LARGEST // 2 :].partition("\n")[2]
    head, tail = head or text[: LARGEST // 2], tail or text[-LARGEST // 2 :]
    return f"{head}\n{MARK}{len(text) - len(head) - len(tail)} characters\n{tail}"


def _brief(text: str, kind: Kind) -> str:
    """Without what a reader of this kind loses nothing by. The text of a file is left as it is."""
    text = cut_lines(text, min(LONGEST_LINE, CAPS[kind] // 4))
    match kind:
        case "view":
            return text
        case "listing" | "search" if len(text) <= CAPS[kind]:
            return text
        case "listing":
            return outlined(text, CAPS[kind] - ADDRESS)
        case "search":
            return few_of_each(outlined(text, CAPS[kind] - ADDRESS), CAPS[kind] - ADDRESS)
        case "tests":
            text = digest_text(text)
    while (shorter := fold(condense(text))) != text:
        text = shorter
    return text


def _addressed(text: str, cap: int, address: str, whole: str) -> str:
    if len(text) > cap - ADDRESS:
        return shorten(text, cap, address, whole)
    return f"{text}\n{MARK}the whole is {address}"


def unpadded(text: str) -> str:
    """A file's text as `cat -n` and `nl` show it, without the blanks before the numbers of its lines."""
    numbered = len(_PADDED.findall(text))
    return _PADDED.sub(r"\1\t", text) if numbered and numbered * 2 > text.count("\n") else text


def mask(text: str, secrets: Iterable[str] = ()) -> str:
    """Put a mark for known secrets, also in base64 and the like, and for what has the shape of a key."""
    text = hide(text, secrets, MASKED)
    return _KEYS.sub(MASKED, text) if any(beginning in text for beginning in _KEYS_BEGIN) else text


def cut_lines(text: str, longest: int = LONGEST_LINE) -> str:
    """Cut the middle out of lines longer than `longest`, which stay longer than nothing else."""
    if len(text) <= longest:
        return text
    return "\n".join(line if len(line) <= longest else _cut_line(line, longest) for line in text.split("\n"))


def _cut_line(line: str, longest: int) -> str:
    room = longest - 40
    head, tail = room * 3 // 4, room // 4
    return f"{line[:head]}… {len(line) - head - tail} characters …{line[-tail:]}"


def fold(text: str) -> str:
    """Fold runs of equal lines or groups of lines, and long runs of lines that differ in numbers only."""
    lines = text.split("\n")
    while len(shorter := _fold_once(lines)) < len(lines):
        lines = shorter
    return "\n".join(lines)


def _fold_once(lines: list[str]) -> list[str]:
    exact: list[object] = [index if line.startswith("… ") else line for index, line in enumerate(lines)]
    similar = [_NUMBERS.sub("#", key) if isinstance(key, str) else key for key in exact]
    folded: list[str] = []
    at = 0
    while at < len(lines):
        group, times, what = _run(exact, similar, at)
        if not times:
            folded.append(lines[at])
            at += 1
            continue
        end = at + group * times
        shown = group if what == "equal" else 3
        left_out = end - at - 2 * shown
        folded += [*lines[at : at + shown], f"… {left_out} {what} lines", *lines[end - shown : end]]
        at = end
    return folded


def _run(exact: list[object], similar: list[object], at: int) -> tuple[int, int, str]:
    """Size of the group of lines that repeats from here, how often, and whether it is equal or similar."""
    for group in range(1, LARGEST_GROUP + 1):
        times = _times(exact, at, group)
        if times >= EXACT:
            return group, times, "equal"
    times = _times(similar, at, 1)
    return (1, times, "similar") if times >= SIMILAR else (0, 0, "")


def _times(keys: list[object], at: int, group: int) -> int:
    """How often the `group` lines from `at` follow one another."""
    end = at + group
    while end < len(keys) and keys[end] == keys[end - group]:
        end += 1
    return (end - at) // group


def shorten(text: str, cap: int, address: str = "", whole: str = "") -> str:
    """Head and tail of a text of more than `cap` characters, cut between lines, with what is left out between them.

    The first and the last line are always there, in part where they are long, and so are the first lines between that
    tell of an error, a failure or a warning. They are numbered as in the `whole` of which the text is a brief, if it is
    one; a line that is not to be found there has no number.
    """
    if len(text) <= cap:
        return text
    where = f"; the whole is {address}" if address else ""
    room = cap - 100 - len(where)
    lines = cut_lines(text, room // 4).split("\n")
    picked = _picked(lines, _places(lines, whole) if whole else range(1, len(lines) + 1), int(room * MOST_TROUBLE))
    room -= sum(len(line) + 1 for line in picked.values())
    head, used = _fill(lines, int(room * HEAD))
    tail, more = _fill(lines[head:][::-1], room - used)
    if head + tail >= len(lines):
        return "\n".join([*lines, f"{MARK}shortened{where}"])
    end = len(lines) - tail
    between = [line for at, line in picked.items() if head <= at < end]
    mark = f"{MARK}{end - head} lines ({len(text) - used - more} characters) left out{where}"
    told = [f"{mark}; of them:", *between, f"{MARK}and"] if between else [mark]
    return "\n".join([*lines[:head], *told, *lines[end:]])


def _picked(lines: Sequence[str], numbers: Sequence[int], room: int) -> dict[int, str]:
    """The first lines of each kind of trouble, by their index, with their numbers: as many as there is room for."""
    picked: dict[int, str] = {}
    kinds: set[str] = set()
    for at, line in enumerate(lines):
        if not trouble(line) or (kind := _NUMBERS.sub("#", line[:TROUBLE_LINE])) in kinds:
            continue
        shown = f"{numbers[at]}: {line[:TROUBLE_LINE]}" if numbers[at] else line[:TROUBLE_LINE]
        room -= len(shown) + 1
        if room < 0:
            break
        picked[at] = shown
        kinds.add(kind)
    return picked


def _places(lines: Sequence[str], whole: str) -> list[int]:
    """The number in the `whole` of each line of a brief of it, by its beginning; 0 for one that stands there otherwise.

    A brief keeps the order of most lines: each is looked for behind the one before, and else anywhere.
    """
    wanted = {line[:TROUBLE_LINE] for line in lines}
    places: dict[str, list[int]] = {}
    for number, line in enumerate(whole.split("\n"), 1):
        if (begun := line[:TROUBLE_LINE]) in wanted:
            places.setdefault(begun, []).append(number)
    numbers: list[int] = []
    last = 0
    for line in lines:
        found = [] if line.startswith(MARK) else places.get(line[:TROUBLE_LINE], [])
        behind = bisect_right(found, last)
        numbers.append(found[behind] if behind < len(found) else found[0] if found else 0)
        last = max(last, numbers[-1])
    return numbers


def _fill(lines: list[str], room: int) -> tuple[int, int]:
    """How many of the lines fit into `room` characters (one always does), and how many characters they have."""
    used = 0
    for count, line in enumerate(lines):
        used += len(line) + 1
        if used > room and count:
            return count, used - len(line) - 1
    return len(lines), used


def numbered(lines: Iterable[str], first: int = 1) -> str:
    """Lines with their numbers, a tab between."""
    return "\n".join(f"{number}\t{line}" for number, line in enumerate(lines, first))
