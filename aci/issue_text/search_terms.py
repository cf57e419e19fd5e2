"""Search terms in text and code: whole identifiers and their parts, in lower case, without stop words."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache

_STOP = """
a about after all also am an and any are as at be because been before being both but by can cannot could did do does
doing don each else few for from further get had has have having he her here hers him his how i if in into is it its
just like ll me more most my no nor not now of off on once only or other our out over own re same she should so some
still such than that the their them then there these they this those through to too under until up use used using ve
very was we were what when where which while who why will with would you your yes
actual behavior behaviour bug code current currently description error example expected file following got happen
happens issue line make need new please problem reproduce result run see seem seems steps think try version versions
want way work works python import def class self return none true false print
"""
STOP_WORDS = frozenset(_STOP.split())
"""Stop words of English, issue templates and Python."""

WORD = re.compile(r"[^\W\d]\w{1,80}")
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_a-zA-Z]+")


def count_terms(text: str) -> Counter[str]:
    """Count the terms in text or code: whole identifiers, and their parts split at case changes and underscores."""
    found: Counter[str] = Counter()
    for word, count in Counter(WORD.findall(text)).items():
        for term in split_identifier(word):
            found[term] += count
    return found


@lru_cache(maxsize=200_000)
def split_identifier(word: str) -> tuple[str, ...]:
    """Return the terms of a word, without stop words and single letters.

    `getHTTPResponse` gives gethttpresponse, get, http, response.
    """
    whole = word.strip("_").lower()
    if word.isascii() and word.islower() and whole.replace("_", "").isalpha():  # a fast path for most words
        if "_" not in whole:
            return (whole,) if len(whole) > 1 and whole not in STOP_WORDS else ()
        parts = [part for part in whole.split("_") if part]
    else:
        parts = [part.lower() for part in _PARTS.findall(word)]
    terms = [whole, *parts] if len(parts) > 1 else [whole]
    return tuple([term for term in terms if len(term) > 1 and term not in STOP_WORDS])
