"""What a repository says of contributions that an AI wrote: a clear refusal is honoured, anything else is linked.

Read is where projects keep such words: a policy of their own (`AI_POLICY.md`, `.github/AI_POLICY.md`, …) and the guide
to contributing. A clear refusal is a sentence that forbids code or contributions which were generated, with no
exception for what people reviewed, understood or disclosed. Sentences are judged by their words, in English only.
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
_ELSE = re.compile(
    r"\b(?:comments?|descriptions?|discussions?|issues|communicat\w+|messages?|summar(?:y|ies)|responses?|text|media"
    r"|repl(?:y|ies|ying)|images?|art(?:work)?|translat\w+|co-?author\w*|signed-off\S*|trailers?|reports?|licens\w+"
    r"|secrets?|credentials?|reviews|tags?)\b",
    re.IGNORECASE,
)
"""What else is forbidden to an AI, by those who do take its code."""
_MADE = re.compile(
    r"\b(?:generat|wr(?:ite|ote|itten)|produc|creat|made|author|us(?:e|es|ed|ing)\b|involv|assist|output|pair|by"
    r"|for code)",
    re.IGNORECASE,
)
"""That something comes from an AI, and is not for one: projects about AI say the word often."""
_WHAT = r"(?:code(?! (?:comments?|reviews?))|contributions?|patch(?:es)?|PRs?|pull requests?|submissions?)"
_ITS = rf"(?:{_AI.pattern}[- ]{_WHAT}|{_WHAT} (?:from|by) (?:an? |any )?{_AI.pattern})"
_PLAIN = re.compile(
    rf"\bno {_ITS}|(?:\b(?:not|never|cannot)|n['\u2019]t) (?:accept|allow|permit|merge|welcome|tolerate|take|want)"
    rf"(?: any| all)? {_ITS}|\b(?:forbid|prohibit|ban|disallow|reject|refuse|decline)(?: any| all)? {_ITS}"
    rf"|{_ITS} (?:(?:is|are) (?:not|never)|(?:will|can|must) (?:not|never) be) (?:\w+ly )?"
    r"(?:accepted|allowed|permitted|merged|welcome|tolerated|wanted)\b(?! to\b)"
    rf"|{_ITS} (?:is|are|(?:will|can|must) be) (?:\w+ly )?(?:banned|forbidden|prohibited|disallowed|rejected|refused"
    r"|declined|unwelcome)\b",
    re.IGNORECASE,
)
"""Of code by an AI in so few words that no word says how it is made."""
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
_READ, _SHOWN = 1_000, 300
"""Characters of a sentence that are judged, and of a refusal that are shown."""


def refusal(text: str, *, asked: bool = True, on_ai: bool = False) -> str:
    """The sentence in which a policy refuses what an AI wrote; "" where none does so clearly.

    `asked`: somebody of the project's asked for this very work and will look at it, so that an agent which nobody
    watches is not meant. `on_ai`: all of the text is about that, so that no sentence needs to say it of its code.
    """
    for sentence in (whole[:_READ] for whole in _sentences(text)):
        if not asked and _AI.search(sentence) and _UNATTENDED.search(sentence):
            return _short(sentence)
        if not _AI.search(sentence) or _HEDGED.search(sentence):
            continue
        if _PLAIN.search(sentence):
            return _short(sentence)
        if not (on_ai or _MADE.search(sentence)):
            continue
        about = _FIRMLY_CODE if _ELSE.search(sentence) else _CODE
        if _FORBIDS.search(sentence) and about.search(sentence):
            return _short(sentence)
    return ""


def _short(sentence: str) -> str:
    return sentence if len(sentence) <= _SHOWN else f"{sentence[: _SHOWN - 1]}…"


def _sentences(text: str) -> Iterator[str]:
    """Of a document in Markdown or the like, without its marks. An item of a list, or a heading, ends one, too."""
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
