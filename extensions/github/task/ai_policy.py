"""Detection of a repository's refusal of AI-written contributions; other policies are only linked.

Projects state this in a policy document (`AI_POLICY.md`, `.github/AI_POLICY.md`, …) or in the contributing guide. A
clear refusal is a sentence that forbids generated code or contributions, and makes no exception for those that a person
has reviewed, understood or disclosed. Only English sentences are recognised, by the words that they contain.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_AI = re.compile(
    r"\b(?:A\.?I|LLMs?|gen-?AI|(?:large )?language models?|artificial intelligence|copilot|chatgpt|claude|generative"
    r"|agentic|(?:autonomous|unsupervised|coding) (?:\w+ )?(?:agents?|bots?)|vibe[- ]cod\w+)\b",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"\b(?:code(?! (?:comments?|reviews?|of conduct))|contribut\w+|pull requests?|merge requests?|PRs?|patch(?:es)?"
    r"|commits|submissions?|use of (?:[\w-]+ ){0,2}(?:AI|LLMs?)\b(?! in\b| for\b))\b",
    re.IGNORECASE,
)
_FIRMLY_CODE = re.compile(r"\b(?:code(?! (?:comments?|reviews?|of conduct))|contributions?|patch(?:es)?)\b", re.I)
_OTHER_THINGS = re.compile(
    r"\b(?:comments?|descriptions?|discussions?|issues|communicat\w+|messages?|summar(?:y|ies)|responses?|text|media"
    r"|repl(?:y|ies|ying)|images?|art(?:work)?|translat\w+|co-?author\w*|signed-off\S*|trailers?|reports?|licens\w+"
    r"|secrets?|credentials?|reviews|tags?)\b",
    re.IGNORECASE,
)
"""Things other than code that some projects forbid an AI to write although they accept its code."""
_MADE_BY_AI = re.compile(
    r"\b(?:generat|wr(?:ite|ote|itten)|produc|creat|made|author|us(?:e|es|ed|ing)\b|involv|assist|output|pair|by"
    r"|for code)",
    re.IGNORECASE,
)
"""Words that show that something was made by an AI; a mention of AI alone is not enough, because projects about AI
often mention it."""
_CONTRIBUTION = r"(?:code(?! (?:comments?|reviews?))|contributions?|patch(?:es)?|PRs?|pull requests?|submissions?)"
_BY_AI = rf"(?:{_AI.pattern}[- ]{_CONTRIBUTION}|{_CONTRIBUTION} (?:from|by) (?:an? |any )?{_AI.pattern})"
_SHORT_REFUSAL = re.compile(
    rf"\bno {_BY_AI}|(?:\b(?:not|never|cannot)|n['\u2019]t) (?:accept|allow|permit|merge|welcome|tolerate|take|want)"
    rf"(?: any| all)? {_BY_AI}|\b(?:forbid|prohibit|ban|disallow|reject|refuse|decline)(?: any| all)? {_BY_AI}"
    rf"|{_BY_AI} (?:(?:is|are) (?:not|never)|(?:will|can|must) (?:not|never) be) (?:\w+ly )?"
    r"(?:accepted|allowed|permitted|merged|welcome|tolerated|wanted)\b(?! to\b)"
    rf"|{_BY_AI} (?:is|are|(?:will|can|must) be) (?:\w+ly )?(?:banned|forbidden|prohibited|disallowed|rejected|refused"
    r"|declined|unwelcome)\b",
    re.IGNORECASE,
)
"""Short refusals such as `no AI contributions`, which do not need to say how the code was made."""
_WORDS = r"\W+(?:[\w'\u2019/-]+\W+){0,6}?"
_FORBIDS = re.compile(
    rf"(?:\b(?:not|never|cannot)|n['\u2019]t)\b{_WORDS}(?:accept|allow|permit|merge|welcome|tolerate|consider|take|want"
    r"|submit|contribut|open|send|contain|include|use|using|be (?:\w+ )?(?:AI|LLM|generated|written|authored|created))"
    rf"|\bno\b(?:\W+[\w/()-]+){{0,3}}?\W+{_AI.pattern}"
    r"|(?<!not )\b(?:forb[ia]d\w*|prohibit\w*|ban(?:s|ned)?|disallow\w*|reject(?:s|ed)?|refus\w+|declined?|den(?:y|ied)"
    r"|refrain from|unwelcome|unacceptable|(?:will|shall) be (?:\w+ )?(?:closed|deleted|removed))\b",
    re.IGNORECASE,
)
_HEDGED = re.compile(
    r"\b(?:unless|except|if|when|where|until|before|merely|blindly|purely because|(?<!closed )without|as your own"
    r"|(?:un)?(?:reviewed|reviewing|tested|verified|disclosed|disclosure|understood|understand\w*|explain\w*|checked)"
    r"|(?:has|have) not|(?:hasn|haven|can)['\u2019]t (?:personally |been |you )|you (?:do not|don['\u2019]t)|right to"
    r"|low[- ](?:quality|effort)|slop|spam|may (?:[\w/-]+ ){0,4}(?:reject|close|refuse|ban|declin|den)\w*|accepts"
    r"|no (?:ban|restriction|rule|prohibition|objection)\w*"
    r"|(?:not|\w+n['\u2019]t) (?:be )?(?:ban|against|oppose|prohibit|forbid|reject|refus|declin|disallow)\w*)\b",
    re.IGNORECASE,
)
_UNATTENDED = re.compile(
    r"\b(?:no|not|never)\b.*\b(?:unsupervised|unattended|autonomous|fully automated)\b", re.IGNORECASE
)
_MOST_JUDGED, _MOST_SHOWN = 1_000, 300
"""Maximum number of characters of a sentence that are judged, and of a refusal that are shown."""


def refusal(text: str, *, asked: bool = True, on_ai: bool = False) -> str:
    """Return the sentence in which a policy clearly refuses AI-written contributions; "" without one.

    With `asked`, a member of the project requested the work and will review it, so rules on unattended agents do not
    apply. With `on_ai`, the whole text is about AI, so a sentence need not say that the code is generated.
    """
    for sentence in (whole[:_MOST_JUDGED] for whole in _sentences(text)):
        if not asked and _AI.search(sentence) and _UNATTENDED.search(sentence):
            return _short(sentence)
        if not _AI.search(sentence) or _HEDGED.search(sentence):
            continue
        if _SHORT_REFUSAL.search(sentence):
            return _short(sentence)
        if not (on_ai or _MADE_BY_AI.search(sentence)):
            continue
        about = _FIRMLY_CODE if _OTHER_THINGS.search(sentence) else _CODE
        if _FORBIDS.search(sentence) and about.search(sentence):
            return _short(sentence)
    return ""


def _short(sentence: str) -> str:
    return sentence if len(sentence) <= _MOST_SHOWN else f"{sentence[: _MOST_SHOWN - 1]}…"


def _sentences(text: str) -> Iterator[str]:
    """Yield the sentences of a Markdown document, without markup. A list item or a heading ends a sentence, too."""
    text = re.sub(r"<!--.*?(?:-->|\Z)|^(```|~~~).*?^\1.*?$", "", text[:200_000], flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"\[([^\[\]\n]{0,300})\]\([^()\n]{0,300}\)", r"\1", text)
    text = re.sub(r"^[ \t>]+", "", text.replace("\r\n", "\n"), flags=re.MULTILINE)
    for block in re.split(r"\n[ \t]*\n|\n(?=[-*+][ \t]|#|\||\d+[.)][ \t])", text):
        first, _, rest = block.partition("\n")
        whole = (first, rest) if first.startswith("#") else (f"{first} {rest}",)
        for part in whole:
            plain = " ".join(re.sub(r"[*_`#|\[\]]+|^[-+]\s|^\d+[.)]\s", " ", part).split())
            plain = re.sub(r" (?=[.,;:!?])", "", plain)
            yield from filter(None, re.split(r"(?<=[.!?;])(?<!\bi\.e\.)(?<!\be\.g\.)(?<!\betc\.)\s+", plain))
