"""Where an issue's cause is likely to stand, found without a model: what the text points at, and BM25.

The signals and their order of worth follow measurements on public issues; weights are set by hand and few. Scores of
one answer compare with one another only.
"""

from __future__ import annotations

import math
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aci.mentions import CODE, Frame, Mentions, mentions
from aci.source import definitions
from aci.words import split, terms

if TYPE_CHECKING:
    from trajectories.records import Issue
    from trajectories.trees import Trees

LARGEST = 1_000_000
MOST_TERMS = 150
CANDIDATES = 50
"""Files whose functions are looked at."""

PATH_WEIGHT, NAME_WEIGHT = 6, 3
"""How often the terms of a path and of defined names count, against once for the rest of a file."""

TEST_FACTOR = 0.2
W_PATH, W_LINK, W_FRAME, W_MODULE, W_CLASS, W_FUNCTION, W_METHOD = 0.6, 1.0, 0.6, 0.4, 0.45, 0.3, 0.5
W_BEST_FUNCTIONS, W_FILE = 0.3, 0.6
MOST_DEFINERS = 15
"""A name that more files define says nothing."""

_TEST = re.compile(
    r"(?:^|/)(?:tests?|testing|__tests__|specs?|fixtures?|examples?|docs?|benchmarks?|vendor|_vendor|third_party)/"
    r"|(?:^|/)(?:test_[^/]*|conftest\.py|[^/]*[_.](?:test|spec)\.\w+)$"
)
_SKIPPED = re.compile(r"(?:^|/)node_modules/|\.min\.js$")
_GENERATED = re.compile(r"@generated|DO NOT EDIT", re.IGNORECASE)
_DEFINES = re.compile(r"^([ \t]*)(?:async[ \t]+)?(def|class)[ \t]+(\w+)", re.MULTILINE)
_DEFINES_ELSEWHERE = re.compile(
    r"^[ \t]*(?:(?:export|default|public|private|protected|static|final|abstract|async|pub(?:\(\w+\))?)[ \t]+)*"
    r"(class|func|function|fn|struct|interface|trait|enum|module|def|type)[ \t]+(?:\([^)\n]{0,80}\)[ \t]*)?(\w+)",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Hit:
    """A file, or a function in it (`name` dotted, `line` of its definition), with the reasons in words."""

    path: str
    score: float
    why: tuple[str, ...] = ()
    name: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Places:
    """The likeliest first."""

    files: tuple[Hit, ...] = ()
    functions: tuple[Hit, ...] = ()
    seconds: float = 0.0


@dataclass(slots=True)
class _Evidence:
    """What speaks for a file or function."""

    score: float = 0.0
    why: list[str] = field(default_factory=list)

    def add(self, score: float, why: str) -> None:
        if why not in self.why:
            self.score += score
            self.why.append(why)


def locate(trees: Trees | Mapping[str, str], tree: str, issue: Issue, top: int = 10) -> Places:
    """The files and functions where the issue is likely to be solved. Deterministic; reads only the tree.

    Instead of a store of trees, the files' texts by path will do.
    """
    began = time.monotonic()
    said = mentions(issue)
    texts = dict(_texts(trees, tree))
    repository = _Repository(texts)
    files = _score_files(repository, said)
    ranked = sorted(files, key=lambda path: (-files[path].score, path))[:CANDIDATES]
    functions = _score_functions(repository, said, files, ranked)
    _reward_best_functions(files, functions)
    for (path, _, _), evidence in functions.items():
        evidence.score += W_FILE * files[path].score
    return Places(
        _hits(((path, "", 0), files[path]) for path in ranked)[:top],
        _hits(functions.items())[:top],
        round(time.monotonic() - began, 3),
    )


def _hits(found: Iterable[tuple[tuple[str, str, int], _Evidence]]) -> tuple[Hit, ...]:
    hits = [
        Hit(path, round(one.score, 4), tuple(one.why), name, line) for (path, name, line), one in found if one.score > 0
    ]
    return tuple(sorted(hits, key=lambda hit: (-hit.score, hit.path, hit.line, hit.name)))


def _texts(trees: Trees | Mapping[str, str], tree: str) -> Iterator[tuple[str, str]]:
    """Path and text of every source file that is not huge, binary or generated."""
    if isinstance(trees, Mapping):
        yield from ((path, text) for path, text in sorted(trees.items()) if _wanted(path, text))
        return
    for path, entry in trees.files(tree).items():
        if entry.mode.startswith("100") and entry.size <= LARGEST and _is_code(path):
            text = _decoded(trees.read_blob(entry.id))
            if _wanted(path, text):
                yield path, text


def _decoded(data: bytes) -> str:
    """Source in another encoding is read as Latin-1, in which nothing fails: the names in it are ASCII mostly."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _is_code(path: str) -> bool:
    return path.isprintable() and path.rpartition(".")[2] in CODE and not _SKIPPED.search(path)


def _wanted(path: str, text: str) -> bool:
    return _is_code(path) and len(text) <= LARGEST and "\0" not in text and not _GENERATED.search(text[:400])


class _Repository:
    """The files, what each defines, and where a path or a module name leads."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = texts
        self.names = {path: _defined(path, text) for path, text in texts.items()}
        self.definers: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for path, names in self.names.items():
            for name, kind in dict(names).items():
                if not _TEST.search(path):
                    self.definers[name].append((path, kind))
        self._by_file_name: dict[str, list[str]] = defaultdict(list)
        for path in texts:
            self._by_file_name[path.rpartition("/")[2]].append(path)
        self.modules: dict[str, str] = {}
        for path in texts:
            if path.endswith(".py"):
                parts = path.removesuffix(".py").removesuffix("/__init__").split("/")
                for first in range(min(len(parts), 3)):
                    self.modules.setdefault(".".join(parts[first:]), path)

    def at(self, mentioned: str) -> list[str]:
        """The files that a path, relative to anything or absolute on another machine, may mean."""
        wanted = re.split(r"site-packages/|dist-packages/", mentioned)[-1].strip("/").split("/")
        installed = "-packages/" in mentioned
        found: dict[int, list[str]] = defaultdict(list)
        for path in self._by_file_name.get(wanted[-1], ()):
            parts = path.split("/")
            common = 0
            while common < min(len(parts), len(wanted)) and parts[-1 - common] == wanted[-1 - common]:
                common += 1
            if common == min(len(parts), len(wanted)) or common >= (3 if installed else 2):
                found[common].append(path)
        return found[max(found)] if found else []


def _defined(path: str, text: str) -> list[tuple[str, str]]:
    """The names a file defines and their kind, methods bare; quick, without parsing."""
    if path.endswith((".py", ".pyi", ".pyx")):
        return [(match[3], match[2]) for match in _DEFINES.finditer(text)]
    return [(match[2], match[1]) for match in _DEFINES_ELSEWHERE.finditer(text)]


def _score_files(repository: _Repository, said: Mentions) -> dict[str, _Evidence]:
    files = {path: _Evidence() for path in repository.texts}
    documents = [_file_document(path, text, repository.names[path]) for path, text in repository.texts.items()]
    for path, score in zip(files, _bm25(documents, said.terms), strict=True):
        if score > 0:
            files[path].add(score, f"text {score:.2f}")
    _follow_paths(repository, said, files)
    _follow_names(repository, said, files)
    for path, evidence in files.items():
        if _TEST.search(path):
            evidence.score *= TEST_FACTOR
    return files


def _file_document(path: str, text: str, names: Sequence[tuple[str, str]]) -> Counter[str]:
    document = terms(text)
    for term in terms(path.rpartition(".")[0].replace("/", " ")):
        document[term] += PATH_WEIGHT
    for name, _ in names:
        for term in split(name):
            document[term] += NAME_WEIGHT - 1
    return document


def _bm25(documents: Sequence[Counter[str]], query: Mapping[str, float]) -> list[float]:
    """Scores of all documents for weighted terms, the best being 1."""
    asked = [{term: document[term] for term in query.keys() & document.keys()} for document in documents]
    if not any(asked):
        return [0.0] * len(documents)
    import numpy as np
    from rank_bm25 import BM25Okapi  # type: ignore[import-untyped]

    index = BM25Okapi([list(Counter(found).elements()) for found in asked])
    index.idf = _rarity(asked)
    index.doc_len = [document.total() for document in documents]
    index.avgdl = sum(index.doc_len) / len(documents)
    weights = {term: weight * index.idf.get(term, 0.0) for term, weight in query.items()}
    heaviest = sorted(weights, key=lambda term: (-weights[term], term))[:MOST_TERMS]
    scores = np.sum([query[term] * index.get_scores([term]) for term in heaviest], axis=0)
    best = float(scores.max())
    return [float(score) / best if best > 0 else 0.0 for score in scores]


def _rarity(documents: Sequence[Mapping[str, int]]) -> dict[str, float]:
    """Inverse document frequency that stays above 0, as Lucene has it: few functions are candidates at times."""
    holders = Counter(term for document in documents for term in document)
    return {term: math.log(1 + (len(documents) - count + 0.5) / (count + 0.5)) for term, count in holders.items()}


def _follow_paths(repository: _Repository, said: Mentions, files: dict[str, _Evidence]) -> None:
    for mentioned in said.paths:
        for path in (found := repository.at(mentioned)):
            files[path].add(W_PATH / len(found), f"path {mentioned}")
    for link in said.links:
        for path in (found := repository.at(link.path)):
            files[path].add(W_LINK / len(found), f"link to line {link.line}" if link.line else "link")
    for path, distance in _frames_inside(repository, said.frames):
        files[path].add(W_FRAME / (1 + distance), "traceback")


def _frames_inside(repository: _Repository, frames: Sequence[Frame]) -> Iterator[tuple[str, int]]:
    """The files of the repository that tracebacks name, innermost first, with their distance from it."""
    seen: dict[str, None] = {}
    for frame in reversed(frames):
        for path in repository.at(frame.path)[:1]:
            if not _TEST.search(path):
                seen.setdefault(path)
    yield from ((path, distance) for distance, path in enumerate(seen))


def _follow_names(repository: _Repository, said: Mentions, files: dict[str, _Evidence]) -> None:
    for dotted in said.dotted:
        if path := _module(repository, dotted):
            files[path].add(W_MODULE, f"module in {dotted}")
    for name, in_title in said.identifiers.items():
        definers = repository.definers.get(name, ())
        if not 0 < len(definers) <= MOST_DEFINERS:
            continue
        for path, kind in definers:
            weight = (W_CLASS if kind == "class" else W_FUNCTION) / len(definers)
            files[path].add(weight * (1.5 if in_title else 1.0), f"defines {name}")


def _module(repository: _Repository, dotted: str) -> str:
    """The file of the longest beginning of a dotted name that is a module (of two parts at least)."""
    parts = dotted.split(".")
    for last in range(len(parts), 1, -1):
        if path := repository.modules.get(".".join(parts[:last])):
            return path
    return ""


def _score_functions(
    repository: _Repository, said: Mentions, files: dict[str, _Evidence], ranked: Sequence[str]
) -> dict[tuple[str, str, int], _Evidence]:
    """Functions of the best files, by their own text and by what names them."""
    found: dict[tuple[str, str, int], tuple[int, Counter[str]]] = {}
    for path in ranked:
        if not path.endswith((".py", ".pyi")) or files[path].score <= 0:
            continue
        lines = repository.texts[path].split("\n")
        for one in definitions(repository.texts[path]):
            if one.kind == "def":
                body = terms("\n".join(lines[one.line - 1 : one.end]))
                for term in terms(one.name.replace(".", " ")):
                    body[term] += NAME_WEIGHT
                found[path, one.name, one.header] = (one.end, body)
    functions = {key: _Evidence() for key in found}
    for key, score in zip(found, _bm25([body for _, body in found.values()], said.terms), strict=True):
        if score > 0:
            functions[key].add(score, f"text {score:.2f}")
    _follow_into_functions(repository, said, functions, {key: end for key, (end, _) in found.items()})
    for (path, _, _), evidence in functions.items():
        if _TEST.search(path):
            evidence.score *= TEST_FACTOR
    return functions


def _follow_into_functions(
    repository: _Repository,
    said: Mentions,
    functions: dict[tuple[str, str, int], _Evidence],
    ends: Mapping[tuple[str, str, int], int],
) -> None:
    frames = [(path, frame) for frame in said.frames for path in repository.at(frame.path)[:1]]
    links = [(path, link) for link in said.links if link.line for path in repository.at(link.path)[:1]]
    methods = {".".join(dotted.split(".")[-2:]) for dotted in said.dotted}
    for key, evidence in functions.items():
        path, name, line = key
        bare = name.rpartition(".")[2]
        if any(path == at and frame.name == bare for at, frame in frames):
            innermost = frames[-1][0] == path and frames[-1][1].name == bare
            evidence.add(W_FRAME if innermost else W_FRAME / 2, "traceback")
        if any(path == at and line <= link.line <= ends[key] for at, link in links):
            evidence.add(W_LINK, "link to its lines")
        if "." in name and ".".join(name.split(".")[-2:]) in methods:
            evidence.add(W_METHOD, f"{name} in the issue")
        elif bare in said.identifiers and not bare.startswith("__"):
            definers = max(len(repository.definers.get(bare, ())), 1)
            if definers <= MOST_DEFINERS:
                weight = W_FUNCTION * (1.5 if said.identifiers[bare] or bare in said.called else 1.0)
                evidence.add(weight / definers**0.5, f"{bare} in the issue")


def _reward_best_functions(files: dict[str, _Evidence], functions: Mapping[tuple[str, str, int], _Evidence]) -> None:
    """A file gains by the mean of its three best functions."""
    scores: dict[str, list[float]] = defaultdict(list)
    for (path, _, _), evidence in functions.items():
        scores[path].append(evidence.score)
    for path, found in scores.items():
        files[path].score += W_BEST_FUNCTIONS * sum(sorted(found)[-3:]) / 3
