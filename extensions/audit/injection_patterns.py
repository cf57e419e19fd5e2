"""Patterns of text that is addressed to an agent, and of the actions that it demands.

They are kept narrow, because text about tokens, rules and modes is mostly just code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

ABOUT_SUCH = re.compile(
    r"(?:^|[/_.\s-])(?:prompts?|jail[-_]?breaks?|(?:prompt[-_]?)?injections?|red[-_]?team\w*|guard(?:rail)?s?|attacks?"
    r"|adversarial|security|threat\w*|safety|moderation|llms?|hostile|breakout)(?=[/_.\s-]|$)",
    re.IGNORECASE,
)
"""Names of files and folders that are themselves about prompts, attacks or safety."""
INVISIBLE = re.compile(
    r"[\u00ad\u034f\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufe00-\ufe0f\U000e0000-\U000e01ef]"
)
ALT = re.compile(
    r"!\[([^\]\n]{1,2000})\]|<img\b[^<>]{0,300}?\balt=(?:\"([^\"<>]{1,2000})\"|'([^'<>]{1,2000})')", re.IGNORECASE
)
COMMENTED = re.compile(r"<!--(.{1,4000}?)-->", re.DOTALL)
NEAR = 500
"""Maximum number of characters between an `ADDRESS` and a demand that belongs to it."""
LEAST_TAGS = 12
"""Minimum number of tag characters that count as hidden text; flag emoji of regions have fewer."""
_TAGS = re.compile(r"[\U000e0020-\U000e007e]")
_BITS = re.compile(r"[\u200b-\u200d\u2060-\u2064\ufeff]{16,}|[\U000e0100-\U000e01ef]{4,}")


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE | re.MULTILINE)


def _of(words: str) -> str:
    """Return a pattern that matches any of the words."""
    return rf"(?:{'|'.join(words.split())})"


_FEW = r"[^.!?\n]{0,30}"
_MODEL = r"(?:ai|llm|gpt|claude|copilot|(?:large )?language model)"
_KIND = rf"(?:{_MODEL}|coding|autonomous|automated|swe|software)[ -](?:coding |programming )?"
_AGENT = rf"(?:{_KIND}{_of('agents? assistants? models? bots? systems?')}|swe-agent|{_MODEL}s?)"

OVERRIDE = _any(
    rf"\b(?:{_of('ignore disregard forget override bypass discard')}|stop following|(?:do not|don't) (?:follow|obey))\b"
    rf"(?:{_FEW}\b{_of('previous prior above earlier preceding your initial original system given')}\b{_FEW}"
    rf"\b{_of('instructions? prompts? directives? guidelines guardrails programming')}\b"
    r"|[^.!?\n]{0,20}\b(?:all|any|every|the) (?:of )?(?:the |your )?(?:instructions|prompts|guardrails) (?:you|so far)"
    rf"|[^.!?\n]{{0,15}}\b(?:your|previous|prior) {_of('rules constraints restrictions safety task')}\b"
    r"|\s(?:everything|anything|all) (?:above|before this)\b|\s(?:all of )?the above (?:and|instead|text)\b)"
)
ROLE = _any(
    r"\byou are (?:now|no longer|from now on)\s+(?:(?:an?|the|in|my)\s+)?(?:[\w-]+\s+){0,3}?"
    rf"(?:{_AGENT}|{_of('assistant agent chatbot bot dan jailbroken unrestricted')}"
    rf"|(?:{_of('developer god admin administrator maintenance')}) mode)\b",
    rf"^\W{{0,6}}{_of('new updated additional real actual')} (?:system )?(?:instructions?|prompt) ?"
    r"(?:for|to) (?:you|the)\b",
    rf"\b(?:enter|activate|switch to) {_of('god dan jailbreak')} mode\b",
)
POSES = _any(
    rf"<\|{_of('im_start im_end system assistant eot_id start_header_id')}\|>|\[INST\]|<<SYS>>",
    rf"</?system[-_ ]?{_of('prompt message reminder instructions? override')}s?>",
    rf"^\W{{0,6}}(?:system|developer) {_of('prompt message notice override note')}\W{{0,2}}:",
)
ADDRESS = _any(
    rf"\bif you(?:'re| are) (?:an? |the )?{_AGENT}\b|\b(?:as|because you are) an? {_AGENT},? you\b",
    rf"\b{_of('attention message note notice instructions? important warning reminder hey dear hello hi for to')}"
    rf"[\s:,!*]+(?:to |for )?(?:all |any |the |every )?{_AGENT}\b"
    rf"(?= *(?:[:,!.\n]|{_of('reading working that who processing only')}))",
    rf"\b{_AGENT} (?:must|shall|should|ha(?:s|ve) to|(?:is|are) required to) (?!not|never)|^\W{{0,6}}{_AGENT}\s*[:!]",
)
_BEGINS = rf"(?:^\s*|[.!?:;,\n(\"'*>-]\s*|\b{_of('please must shall should to and then now first also you')}\s+)"
_SECRETS = (
    r"(?:env(?:ironment)? var(?:iable)?s?|\benv(?:ironment)?\b|secrets?|(?:api|access|private|ssh|signing) ?[-_]?keys?"
    r"|tokens?|credentials?|passwords?|\$?[A-Z]+_(?:TOKEN|KEY|SECRET)|/proc/self/environ|printenv|system prompt)"
)
_OUT = (
    r"(?:https?://|(?:webhook|commit message|branch|pull request|PR|patch|diff|comment|description|title|server|base64"
    r"|readme|the file|a file|log|gist|issue|summary)\b)"
)
_HAND = _of(
    "send post upload exfiltrate leak print echo include put paste write add embed append encode reveal dump copy"
)
_CHANGE = _of("add modify edit change create update delete remove disable replace write")
KEYS, HIDE = "asks an agent to hand out keys or variables", "asks an agent to hide something from people"
DEMANDS = {
    KEYS: _any(
        rf"{_BEGINS}{_HAND}\b[^.!?\n]{{0,60}}?{_SECRETS}[^!?\n]{{0,80}}?\b{_OUT}",
        rf"\b(?:printenv|env|cat /proc/self/environ)\b[^\n]{{0,20}}\|\s*{_of('curl base64 nc wget')}\b",
    ),
    HIDE: _any(
        rf"\b(?:do not|don't|never|without)\s+{_of('tell mention inform reveal disclos alert notify report')}\w*\b"
        rf"[^.!?\n]{{0,50}}?\b{_of('users? maintainers? reviewers? humans? anyone anybody owners? people summary')}\b",
        r"\bkeep (?:this|it) (?:a )?(?:secret|hidden|between us)\b",
    ),
    "asks an agent to change workflows": _any(
        rf"{_BEGINS}{_CHANGE}\b[^.!?\n]{{0,60}}?(?:\.github/|\bworkflows?\b|\bCI\b|action\.ya?ml)"
    ),
    "asks an agent to run a program from elsewhere": _any(
        r"\b(?:curl|wget)\b[^\n]{0,200}\|\s*(?:ba|z)?sh\b", r"\b(?:run|execute|install)\b[^.!?\n]{0,40}?https?://"
    ),
    "asks an agent to leave out tests or checks": _any(
        rf"{_BEGINS}{_of('skip delete disable remove bypass')}\b{_FEW}"
        rf"\b{_of('tests? checks? verification review security')}\b"
    ),
    "tells an agent what to do": _any(
        rf"{_BEGINS}{_of('submit approve merge push commit')} {_of('now at this it to all without')}\b",
        rf"{_BEGINS}(?:call submit|rm -rf|stop working|name the branch|close (?:this|the issue))\b",
    ),
}
"""Descriptions of demands, each with the pattern that detects the demand after an `ADDRESS`."""
_NOT = re.compile(r"(?:\b(?:not|never|cannot|no|avoid|without)|n't)\b[^.!?\n]{0,12}$", re.IGNORECASE)
_WORTH = _any(
    _of("ignore disregard forget override bypass discard obey agent assistant system llm gpt claude copilot environ"),
    r"follow|you are|you're|language model|\bai\b|<\||\[inst|instructions|printenv|do not|don't|mode|token|secret|key",
)


def hidden_text(text: str) -> str:
    """Return the text encoded in invisible characters, or question marks if it cannot be decoded."""
    tags = _TAGS.findall(text)
    if len(tags) >= LEAST_TAGS:
        return "".join(chr(ord(tag) - 0xE0000) for tag in tags)
    return "?" * sum(map(len, _BITS.findall(text)))


def find_demands(text: str, is_message: bool, hidden: bool) -> Iterator[str]:
    """Yield what a text demands of an agent.

    `is_message`: the text is a message, such as an issue or a command's output, not a file's contents. `hidden`: the
    text is not visible to people.
    """
    if not _WORTH.search(text):
        return
    if OVERRIDE.search(text):
        yield "asks an agent to ignore its instructions"
    if ROLE.search(text):
        yield "gives an agent another role"
    if is_message and POSES.search(text):
        yield "imitates messages of the program that runs the agent"
    near = [text[match.start() : match.end() + NEAR] for match in ADDRESS.finditer(text)]
    for what, sign in DEMANDS.items():
        if _is_asked(sign, [text] if hidden and what in (KEYS, HIDE) else near):
            yield what


def _is_asked(sign: re.Pattern[str], texts: Sequence[str]) -> bool:
    """Whether a text contains the demand without negating it."""
    found = ((text, match.start()) for text in texts for match in sign.finditer(text))
    return any(not _NOT.search(text[max(0, at - 20) : at + 1]) for text, at in found)
