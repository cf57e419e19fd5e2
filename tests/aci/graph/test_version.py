"""What is stored was made by the code of its time: when that code changes, so must the version of the store."""

from __future__ import annotations

import hashlib
from pathlib import Path

import aci
from aci.graph.store import VERSION

KNOWN = (3, "3ef943392aeb39f5")
"""The version, and the digest of the sources that decide what is stored under it."""

DECIDING = (
    "words.py", "graph/build.py", "graph/choice.py", "graph/definitions.py", "graph/languages/*.py", "graph/links.py",
    "graph/modules*.py", "graph/outline.py", "graph/parse.py", "graph/postings.py", "graph/resolve*.py",
)  # fmt: skip


def test_the_version_rises_with_what_decides_what_is_stored() -> None:
    folder = Path(aci.__file__).parent
    files = sorted(path for pattern in DECIDING for path in folder.glob(pattern))
    texts = (f"{path.relative_to(folder).as_posix()}\n{path.read_text('utf-8')}" for path in files)
    digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]
    advice = "Raise VERSION in aci/graph/store.py if anything is stored otherwise than before, and note the digest here"
    assert (VERSION, digest) == KNOWN, advice
