"""The part of a very large tree that a question is about, since parsing all of its files would take minutes.

The files are chosen by their words alone: each is read once, and its words are weighed by their rarity in the tree.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping

from aci.issue_text.issue_mentions import count_terms, split_identifier
from aci.repository.file_blobs import Blobs

LARGE_TREE = 20_000
"""Number of source files above which the graph of a tree holds only the files that a question is about."""
MOST_FILES = 5_000
"""Maximum number of such files."""
PATH_WEIGHT = 2.0
"""Weight of a word in a path; that of a word in a file's text is 1."""
LONGEST_WORD = 80
MOST_KNOWN_WORDS = 1_000_000
"""Maximum number of words whose terms are kept in memory."""
_WORD_BYTES = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz" + bytes(range(128, 256))
_SEPARATED = bytes(byte if byte in _WORD_BYTES else 32 for byte in range(256))


def key_about(tree: str, about: str) -> str:
    """Return the key of the part of a large tree that a text is about."""
    terms = "\n".join(sorted(count_terms(about)))
    return f"{tree} about {hashlib.sha256(terms.encode('utf-8', 'replace')).hexdigest()}"


def files_about(blobs: Blobs, ids: Mapping[str, str], about: str) -> set[str]:
    """Return at most MOST_FILES paths whose words fit a text best. `ids` holds the blob id of each path."""
    wanted = frozenset(count_terms(about))
    terms: dict[str, set[str]] = {}
    words = _KnownWords(wanted)
    distinct = list(dict.fromkeys(ids.values()))
    for id, data in zip(distinct, blobs.read(distinct), strict=True):
        terms[id] = words.terms_in(data or b"")
    common = Counter(term for found in terms.values() for term in found)
    rarity = {term: math.log(1 + len(distinct) / count) for term, count in common.items()}
    default = math.log(1 + len(distinct))
    scores = {
        path: sum(rarity[term] for term in terms[id])
        + PATH_WEIGHT * sum(rarity.get(term, default) for term in words.terms_in(path.encode("utf-8", "replace")))
        for path, id in ids.items()
    }
    return set(sorted(scores, key=lambda path: (-scores[path], path))[:MOST_FILES])


class _KnownWords:
    """The wanted terms of each word seen so far."""

    def __init__(self, wanted: frozenset[str]) -> None:
        self._wanted = {term.encode("utf-8", "replace"): term for term in wanted}
        self._known: dict[bytes, tuple[str, ...]] = {}

    def terms_in(self, data: bytes) -> set[str]:
        """Return the wanted terms that a text contains."""
        found: set[str] = set()
        known = self._known
        for word in set(data.translate(_SEPARATED).split()):
            terms = known.get(word)
            if terms is None:
                terms = self._terms_of(word)
            if terms:
                found.update(terms)
        return found

    def _terms_of(self, word: bytes) -> tuple[str, ...]:
        if len(word) > LONGEST_WORD:
            return ()
        if len(self._known) >= MOST_KNOWN_WORDS:
            self._known.clear()
        wanted = self._wanted
        if word.islower():  # most words; others are split at case changes, which takes longer
            parts = [word.strip(b"_"), *[part.strip(b"0123456789") for part in word.split(b"_")]]
        else:
            parts = [term.encode("utf-8", "replace") for term in split_identifier(word.decode("utf-8", "replace"))]
        self._known[word] = terms = tuple([wanted[part] for part in parts if part in wanted])
        return terms
