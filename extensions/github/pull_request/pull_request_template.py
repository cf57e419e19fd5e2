"""The repository's pull request template: known sections are filled in, checkboxes are left for a person."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from extensions.github.text_escaping import code, escape_markdown, strip_invisible

TEMPLATES = tuple(
    f"{folder}pull_request_template{ending}" for folder in (".github/", "", "docs/") for ending in (".md", ".txt", "")
)
"""The paths where GitHub looks for a template, in lower case and in search order; the first that exists is used."""
LARGEST, LONGEST_PLACEHOLDER = 20_000, 200
"""Maximum number of bytes of a template and of characters of a placeholder."""
KINDS = (
    ("proof", r"\btest|\bverif|\bvalidat|\bqa\b|how (?:has|was|to)|\bproof\b|\breproduc"),
    ("look", r"\breviewer|\badditional|anything else|\bnotes?\b|\bremarks?\b"),
    (
        "fixes",
        r"\bissues?\b|\bticket|\brelated\b|\bfix(?:es)?\b|\bclos(?:es|ing)\b|\bresolv|\blinked\b|\breferences?\b",
    ),
    (
        "what",
        r"\bdescri|\bsummary\b|\bwhat\b|\bchanges?\b|\boverview\b|\bmotivation\b|\bcontext\b|\bwhy\b|\bpurpose\b|"
        r"\bproposed\b|\bproblem\b|\bsolution\b|\bbackground\b|\bdetails?\b",
    ),
)
"""The parts of the pull request's text, each with a pattern for the headings under which it goes; the first match is
used."""
LEFT_TO_AUTHOR = re.compile(
    r"\btypes? of\b|\bcheck ?list\b|\bscreenshot|\bbreaking\b|\blicen[cs]e|\bagreement\b|\bcla\b", re.IGNORECASE
)
_BOX = re.compile(r"(\s*(?:[-*+]|\d+[.)])\s+)\[[ xX]\]\s*(.*)")
_HEADING = re.compile(r"(#{1,6})\s+(.*?)\s*#*\s*")
_BOLD = re.compile(r"(\*\*|__)(?!\s)([^*_]+?)(\1|:\1|\1:)")
_UNDERLINED = re.compile(r"(?m)^(?P<title>[^\s#>|*+\-].*)\n(?P<mark>=+|-+)[ \t]*$")
_PLACEHOLDER = re.compile(
    r"[\s>*_-]*(?:fix(?:e[sd])?|clos(?:e[sd]?)?|resolv(?:e[sd]?)?|refs?|related to|issue)\b[\s:]*(?:issue\s*)?#?\s*"
    r"(?:\(?issue(?: ?number)?\)?|\[?issue\]?|x{2,}|n+|_+|\d+|\.{3}|<[^>]*>|\(#?[\w ]*\))?[\s.*_]*(?:\([^()]*\))?\s*",
    re.IGNORECASE,
)
_LINK = re.compile(r"\[([^\[\]]{1,200})\]\(((?:https?://|\.{0,2}/)?[\w./%#?=&~-]{1,300})\)")
_TO_ISSUE = re.compile(r"/(?:issues|pull|discussions)/\d|#\d")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_FENCE = re.compile(r"(?ms)^[ \t]*(```+|~~~+).*?(?:^[ \t]*\1[^\n]*$|\Z)")


@dataclass
class Section:
    heading: str
    lines: list[str] = field(default_factory=list)


def find_template(
    files: Iterable[str], read: Callable[[str], bytes | None], templates: Iterable[str] = TEMPLATES
) -> str:
    """Return the text of the repository's template, at the first of the paths `templates` (in lower case) that exists;
    "" without one."""
    names = {path.lower(): path for path in files if "_request_template" in path.lower()}
    for name in templates:
        if path := names.get(name):
            data = read(path) or b""
            return data.decode("utf-8", "replace") if len(data) <= LARGEST else ""
    return ""


def fill_template(template: str, parts: Mapping[str, str]) -> str:
    """Return the template with the `parts` (`fixes`, `what`, `proof`, `look`, `cost`) under the fitting headings.

    Parts without a heading in the template are placed before it (`fixes`, `what`) or after it (all others). Checkboxes
    are not ticked, so nothing is confirmed in a person's name. HTML comments, which are instructions to the author, are
    removed.
    """
    sections = _sections(_TAG.sub("", _FENCE.sub("", _COMMENT.sub("", strip_invisible(template)))))
    left = {name: text for name, text in parts.items() if text}
    if not any(_part_for_heading(section.heading, {"look": ""}) for section in sections):
        left["proof"] = "\n\n".join(filter(None, [left.pop("proof", ""), left.pop("look", "")]))
    written = []
    for section in sections:
        own = _part_for_heading(section.heading, left)
        lines = [_neutral_line(line) for line in section.lines if _stays(line, bool(own) or not section.heading, left)]
        ours = [left.pop(own)] if own else []
        if any(_is_placeholder(line) for line in section.lines) and "fixes" in left:
            ours.append(left.pop("fixes"))
        if not section.heading and not ours and not any(map(str.strip, lines)):
            continue
        heading = [_neutral_line(section.heading)] if section.heading else []
        written.append("\n\n".join(filter(None, [*heading, *ours, "\n".join(lines).strip("\n")])))
    first = [left[name] for name in ("fixes", "what") if name in left]
    last = [left[name] for name in ("proof", "look", "cost") if name in left]
    rule = ["---"] if sections[1:] and last else []
    return "\n\n".join(filter(None, [*first, *written, *rule, *last]))


def _sections(text: str) -> list[Section]:
    sections = [Section("")]
    underlined = _UNDERLINED.sub(lambda match: f"{'#' if match['mark'][0] == '=' else '##'} {match['title']}", text)
    for line in underlined.split("\n"):
        if _HEADING.fullmatch(line.strip()) or _BOLD.fullmatch(line.strip()):
            sections.append(Section(line.strip()))
        else:
            sections[-1].lines.append(line)
    return sections


def _part_for_heading(heading: str, left: Mapping[str, str]) -> str:
    """Return which of the parts belongs under a heading; "" for none."""
    if not heading or LEFT_TO_AUTHOR.search(heading):
        return ""
    kinds = (name for name, pattern in KINDS if re.search(pattern, heading, re.IGNORECASE))
    return next((name for name in kinds if name in left), "")


def _stays(line: str, answered: bool, left: Mapping[str, str]) -> bool:
    """Whether a template line is kept: a section that is filled in keeps only its checkboxes and tables."""
    stays = not answered or bool(_BOX.fullmatch(line)) or line.lstrip().startswith("|")
    return stays and not _is_placeholder(line)


def _is_placeholder(line: str) -> bool:
    """Whether a line is a placeholder for the issue's number, such as `Fixes #(issue)`, with or without a checkbox."""
    if match := _BOX.fullmatch(line):
        line = match[2]
    if len(line) > LONGEST_PLACEHOLDER:
        return False
    return bool("#" in line or "issue" in line.lower()) and bool(_PLACEHOLDER.fullmatch(line)) and bool(line.strip())


def _neutral_line(line: str) -> str:
    """Return a template line with its markup, but without anything that GitHub acts on."""
    if match := _HEADING.fullmatch(line):
        return f"{match[1]} {_words(match[2])}"
    if match := _BOLD.fullmatch(line):
        return f"**{_words(match[2].rstrip(': '))}**"
    if line.lstrip().startswith("|"):
        return f"| {' | '.join(map(_cell, line.strip().strip('|').split('|')))} |"
    if match := _BOX.fullmatch(line):
        return f"{match[1]}[ ] {_words(match[2])}".rstrip()
    match = re.match(r"(\s*(?:[-*+]|\d{1,3}[.)]|>)?\s*)(.*)", line)
    return f"{match[1][:20]}{_words(match[2])}".rstrip() if match and match[2] else ""


def _cell(text: str) -> str:
    return text.strip() if re.fullmatch(r":?-+:?", text.strip()) else _words(text.strip())


def _words(text: str) -> str:
    shown, last = [], 0
    for match in _LINK.finditer(text):
        link = (
            f"[{escape_markdown(match[1], emphasis=True)}]({match[2]})"
            if not _TO_ISSUE.search(match[2])
            else code(match[1])
        )
        shown += [_neutral_prose(text[last : match.start()]), link]
        last = match.end()
    return "".join([*shown, _neutral_prose(text[last:])])


def _neutral_prose(text: str) -> str:
    """Return the prose between two links, escaped, with the spaces around it."""
    before, after = " " * (text[:1] == " "), " " * (text[-1:] == " " and bool(text.strip()))
    return f"{before}{escape_markdown(text, emphasis=True)}{after}" if text.strip() else before
