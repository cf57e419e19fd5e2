"""Preparation of output for the model: clean and shortened text without secrets, with a reference to the full output.

`prepare_output` applies all steps to the output of a command. Every step is a pure and idempotent function.

Long lists are shortened so that every file or folder remains represented. In listings of paths, deeply nested entries
are replaced by their number per folder. In search results, each file keeps its first matches.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from aci.observation.line_condensing import MARK, condense, reports_error
from aci.observation.secret_masking import mask_secrets
from aci.observation.suite_output import digest_text
from aci.observation.untrusted_text import clean_output, clean_text

_HEAD = re.compile(r"(\S.*):$")
_LONG = re.compile(r"[-dlbcps][-rwxsStT]{9}|total \d+$")
_PLAIN, _COLUMNS = re.compile(r"[^\s:]+"), re.compile(r"\t+| {2,}")
_MATCH = re.compile(r"([^\s:]+):")
DEEPEST = 12
FEW, LONGEST_MATCH = (20, 10, 5, 3, 2, 1), 200
"""Numbers of matches per file that are tried in turn, and the maximum number of characters of a match."""


def outline_listing(text: str, room: int) -> str:
    """Return the deepest outline of a listing that fits into `room` characters.

    The listing is returned unchanged if it fits, or if no outline fits.
    """
    if len(text) <= room:
        return text
    lines = text.split("\n")
    paths = _of_blocks(lines) if _is_blocks(lines) else lines
    if not paths:
        return text
    if any(_LONG.match(line) for line in paths) or sum("/" in line for line in paths) * 2 < len(paths):
        return text
    if sum(_PLAIN.fullmatch(line) is None for line in paths) * 5 > len(paths):
        return text
    for depth in range(DEEPEST, 0, -1):
        rows = _rows(paths, depth)
        if sum(len(row) + 1 for row in rows) <= room:
            return "\n".join(rows)
    return text


def first_matches(text: str, room: int) -> str:
    """Return the output of `grep` if it fits into `room` characters, else the first few matches of each file."""
    if len(text) <= room:
        return text
    lines = text.split("\n")
    named = [found[1] if (found := _MATCH.match(line)) else "" for line in lines]
    files = [file if "/" in file or "." in file else "" for file in named]
    if len(set(files)) < 2 or sum(map(bool, files)) * 2 < len(files):
        return text
    for most in FEW:
        rows = _first_of_each(lines, files, most)
        if sum(len(row) + 1 for row in rows) <= room:
            return "\n".join(rows)
    return text


def _first_of_each(lines: Sequence[str], files: Sequence[str], most: int) -> list[str]:
    """Return the first lines of each file, with long lines cut; each file's last line ends with the number of lines
    left out."""
    count = Counter(files)
    shown: Counter[str] = Counter()
    rows = []
    for line, file in zip(lines, files, strict=True):
        shown[file] += 1
        if shown[file] <= most:
            rows.append(line if len(line) <= LONGEST_MATCH else f"{line[:LONGEST_MATCH]}…")
        if shown[file] == most < count[file]:
            rows[-1] += f" {MARK}{count[file] - most} more"
    return rows


def _is_blocks(lines: Sequence[str]) -> bool:
    """Return whether the lines are output of `ls -R`: the name of a folder with a colon, its entries, an empty line."""
    return bool(lines) and _HEAD.match(lines[0]) is not None and any(not line for line in lines)


def _of_blocks(lines: Sequence[str]) -> list[str]:
    paths, folder = [], ""
    for at, line in enumerate(lines):
        if (head := _HEAD.match(line)) and (at == 0 or not lines[at - 1]):
            folder = head[1].rstrip("/")
        elif line:
            paths += [f"{folder}/{name}" for name in _COLUMNS.split(line) if name]
    return paths


def _rows(paths: Sequence[str], depth: int) -> list[str]:
    """Return the paths up to a depth; a folder at that depth is followed by the number of entries below it."""
    common = _common(paths)
    counts: dict[str, int] = {}
    for path in paths:
        folder = common if path.startswith(common) else ""
        parts = path[len(folder) :].split("/")
        deep = len([part for part in parts if part]) > depth
        row = folder + "/".join(parts[:depth]) + ("/" if deep else "")
        counts[row] = counts.get(row, 0) + deep
    folders = {row.rstrip("/") for row, count in counts.items() if count}
    return [f"{row} ({count})" if count else row for row, count in counts.items() if count or row not in folders]


def _common(paths: Sequence[str]) -> str:
    """Return the folder that contains all paths, with a trailing slash; lines without a slash, such as error messages,
    are ignored."""
    parts = [path.split("/") for path in paths if "/" in path]
    common: list[str] = []
    for at, part in enumerate(parts[0][:-1]):
        if any(len(each) <= at + 1 or each[at] != part for each in parts):
            break
        common.append(part)
    return "/".join([*common, ""]) if common else ""


class HeadTailBuffer:
    """A buffer that keeps the head and the tail of a stream, `cap` bytes in total."""

    def __init__(self, cap: int) -> None:
        self.last = max(cap // 2, 1)
        self.first = cap - self.last
        self.head, self.tail, self.cut = bytearray(), bytearray(), 0

    def add(self, data: bytes) -> None:
        room = self.first - len(self.head)
        self.head += data[:room]
        self.tail += data[room:]
        if len(self.tail) > 2 * self.last:
            self._trim()

    def _trim(self) -> None:
        over = max(len(self.tail) - self.last, 0)
        self.cut += over
        del self.tail[:over]

    @property
    def size(self) -> int:
        """The number of bytes that were added."""
        return len(self.head) + self.cut + len(self.tail)

    def last_bytes(self, count: int) -> bytes:
        return bytes((self.head + self.tail[-count:] if len(self.tail) < count else self.tail)[-count:])

    def bytes(self) -> bytes:
        self._trim()
        return bytes(self.head + self.tail)


def last_lines(output: bytes, count: int, secrets: Sequence[str] = ()) -> list[str]:
    """Return the last lines of an output of which only the end is known, with secrets masked.

    The first line may be incomplete, so it is left out; so is a private key whose beginning or end is unknown.
    """
    lines = clean_output(output).split("\n")
    lines = lines[1:] if len(lines) > 1 else lines
    for number, line in enumerate(lines):
        if line.startswith("-----END ") and not any(each.startswith("-----BEGIN ") for each in lines[:number]):
            lines = lines[number + 1 :]
            break
    begun = [number for number, line in enumerate(lines) if line.startswith("-----BEGIN ")]
    if begun and not any(line.startswith("-----END ") for line in lines[begun[-1] :]):
        lines = lines[: begun[-1]]
    return mask_secrets("\n".join(lines), secrets).split("\n")[-count:]


Kind = Literal["listing", "search", "view", "tests", "other"]
CAPS: dict[Kind, int] = {"listing": 2_000, "search": 4_000, "view": 16_000, "tests": 8_000, "other": 8_000}
"""Maximum number of characters of a new observation by kind (these caps save 4-28 % of an agent's input)."""

LONGEST_LINE = 2_000
LARGEST = 2_000_000
"""Maximum number of characters of an output that are examined line by line."""
WORTH = 100
"""Minimum number of characters that shortening must save if the output would fit anyway."""
HEAD = 0.5
"""Share of shortened text taken from the start, which shows what was run; the rest is taken from the end, which shows
failures."""

EXACT, SIMILAR = 4, 12
"""Minimum number of consecutive equal lines (or groups of lines) that are folded, and minimum number of lines that
differ only in numbers."""
LARGEST_GROUP = 4
ADDRESS = 40
"""Maximum number of characters of the reference to the full output."""
MOST_TROUBLE, TROUBLE_LINE = 0.15, 200
"""Share of shortened text reserved for error lines from the omitted middle, and maximum number of characters of each
such line."""

_PADDED = re.compile(r"^ +(\d+)\t", re.MULTILINE)
_NUMBERS = re.compile(r"0x[0-9a-fA-F]+|\d+")


def prepare_output(
    data: bytes | str, kind: Kind = "other", keep: Callable[[bytes], int] | None = None, secrets: Iterable[str] = ()
) -> tuple[str, int | None]:
    """Return an output as the model sees it and, if it was shortened, the number under which `keep` stored the full
    output.

    The stored text is already clean and masked, so its line numbers stay valid in later views. In the text of files,
    carriage returns are line breaks; in other output, they overwrite text.
    """
    clean = clean_text if kind in ("view", "search") else clean_output
    whole, cap = mask_secrets(clean(data), secrets), CAPS[kind]
    whole = strip_number_padding(whole) if kind == "view" else whole
    condensed = _condense(_without_middle(whole), kind)
    if len(whole) <= cap and len(whole) - len(condensed) < WORTH:
        return whole, None
    if keep is None:
        return shorten(condensed, cap), None
    number = keep(whole.encode())
    return _addressed(condensed, cap, f"out:{number}", whole), number


def _without_middle(text: str) -> str:
    """Return the text without its middle if it has more than LARGEST characters."""
    if len(text) <= LARGEST:
        return text
    head, tail = text[: LARGEST // 2].rpartition("\n")[0], text[-LARGEST // 2 :].partition("\n")[2]
    head, tail = head or text[: LARGEST // 2], tail or text[-LARGEST // 2 :]
    return f"{head}\n{MARK}{len(text) - len(head) - len(tail)} characters\n{tail}"


def _condense(text: str, kind: Kind) -> str:
    """Return the text without uninformative parts, depending on the kind. In the text of a file, only long lines are
    cut."""
    text = cut_lines(text, min(LONGEST_LINE, CAPS[kind] // 4))
    match kind:
        case "view":
            return text
        case "listing" | "search" if len(text) <= CAPS[kind]:
            return text
        case "listing":
            return outline_listing(text, CAPS[kind] - ADDRESS)
        case "search":
            return first_matches(outline_listing(text, CAPS[kind] - ADDRESS), CAPS[kind] - ADDRESS)
        case "tests":
            text = digest_text(text)
    while (shorter := fold(condense(text))) != text:
        text = shorter
    return text


def _addressed(text: str, cap: int, address: str, whole: str) -> str:
    if len(text) > cap - ADDRESS:
        return shorten(text, cap if len(text) > cap else cap - ADDRESS, address, whole)
    return f"{text}\n{MARK}full output: {address}"


def strip_number_padding(text: str) -> str:
    """Return the output of `cat -n` or `nl` without the padding before the line numbers."""
    numbered = len(_PADDED.findall(text))
    return _PADDED.sub(r"\1\t", text) if numbered and numbered * 2 > text.count("\n") else text


def cut_lines(text: str, longest: int = LONGEST_LINE) -> str:
    """Cut the middle out of lines longer than `longest`."""
    if len(text) <= longest:
        return text
    return "\n".join(line if len(line) <= longest else _cut_line(line, longest) for line in text.split("\n"))


def _cut_line(line: str, longest: int) -> str:
    room = longest - 40
    head, tail = room * 3 // 4, room // 4
    return f"{line[:head]}… {len(line) - head - tail} characters …{line[-tail:]}"


def fold(text: str) -> str:
    """Fold runs of equal lines or groups of lines, and long runs of lines that differ only in numbers."""
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
    """Return the size of the group of lines that repeats from `at`, its number of repetitions, and "equal" or
    "similar"."""
    for group in range(1, LARGEST_GROUP + 1):
        times = _times(exact, at, group)
        if times >= EXACT:
            return group, times, "equal"
    times = _times(similar, at, 1)
    return (1, times, "similar") if times >= SIMILAR else (0, 0, "")


def _times(keys: list[object], at: int, group: int) -> int:
    """Return how often the `group` lines from `at` repeat in a row."""
    end = at + group
    while end < len(keys) and keys[end] == keys[end - group]:
        end += 1
    return (end - at) // group


def shorten(text: str, cap: int, address: str = "", whole: str = "") -> str:
    """Shorten text of more than `cap` characters to its head and tail, cut between lines.

    The first and the last line are always included, in part if they are long. A mark between head and tail gives the
    size of the omitted part, and is followed by the first omitted lines that report an error, a failure or a warning.
    If the text is a condensed form of `whole`, these lines are numbered as in `whole`; a line that is not found there
    has no number.
    """
    if len(text) <= cap:
        return text
    where = f"; full output: {address}" if address else ""
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
    middle = [f"{mark}; among them:", *between, f"{MARK}and"] if between else [mark]
    return "\n".join([*lines[:head], *middle, *lines[end:]])


def _picked(lines: Sequence[str], numbers: Sequence[int], room: int) -> dict[int, str]:
    """Return the first line of each kind of error, keyed by index and prefixed with its line number, as many as fit
    into `room`."""
    picked: dict[int, str] = {}
    kinds: set[str] = set()
    for at, line in enumerate(lines):
        if not reports_error(line) or (kind := _NUMBERS.sub("#", line[:TROUBLE_LINE])) in kinds:
            continue
        shown = f"{numbers[at]}: {line[:TROUBLE_LINE]}" if numbers[at] else line[:TROUBLE_LINE]
        room -= len(shown) + 1
        if room < 0:
            break
        picked[at] = shown
        kinds.add(kind)
    return picked


def _places(lines: Sequence[str], whole: str) -> list[int]:
    """Return the line number in `whole` of each line of condensed text, matched by its prefix; 0 if not found.

    Condensing keeps the order of most lines, so each line is searched for after the previous one first, and then
    anywhere.
    """
    wanted = {line[:TROUBLE_LINE] for line in lines}
    places: dict[str, list[int]] = {}
    for number, line in enumerate(whole.split("\n"), 1):
        if (beginning := line[:TROUBLE_LINE]) in wanted:
            places.setdefault(beginning, []).append(number)
    numbers: list[int] = []
    last = 0
    for line in lines:
        found = [] if line.startswith(MARK) else places.get(line[:TROUBLE_LINE], [])
        behind = bisect_right(found, last)
        numbers.append(found[behind] if behind < len(found) else found[0] if found else 0)
        last = max(last, numbers[-1])
    return numbers


def _fill(lines: list[str], room: int) -> tuple[int, int]:
    """Return the number of lines that fit into `room` characters (at least one), and their total number of
    characters."""
    used = 0
    for count, line in enumerate(lines):
        used += len(line) + 1
        if used > room and count:
            return count, used - len(line) - 1
    return len(lines), used


def number_lines(lines: Iterable[str], first: int = 1) -> str:
    """Return the lines with their numbers, separated by a tab."""
    return "\n".join(f"{number}\t{line}" for number, line in enumerate(lines, first))


def cut(text: str, most: int) -> str:
    """Return a text cut to at most `most` characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
