"""Evidence of the arguments that a parameter takes: its annotation, recorded calls, its default and its name."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from extensions.testgen.argument_generation import PLAIN_KINDS, kind_of
from extensions.testgen.module_exerciser import ExampleRecord

LIKELY, RARE = 40.0, 0.1
"""Weights of kinds that a name suggests, and of kinds that nothing suggests and few functions take."""
GIVEN, OBJECT = "given", "object"
"""Kinds of arguments besides the plain ones: a recorded expression that is no literal, and an object of a class."""
COMMON_KINDS = ("int", "float", "str", "list", "dict", "tuple", OBJECT)
ANNOTATION_PATTERNS = {
    "int": r"\bint\b|Integral", "float": r"\bfloat\b|Real|Number", "str": r"\bstr\b|Text|String|StrOr",
    "bytes": r"\bbytes\b|OrBytes|Buffer",
    "bool": r"\bbool\b", "none": r"\bNone\b|Optional", "list": r"[Ll]ist|Sequence|Iterable|Collection|Sized",
    "tuple": r"[Tt]uple|Hashable", "dict": r"[Dd]ict|Mapping", "set": r"\b[Ss]et\b|[Ff]rozenset|AbstractSet",
    "callable": r"Callable|[Ff]unction", "iterator": r"Iterator|Generator",
}  # fmt: skip
NAME_PATTERNS = {
    "callable": r"func|fn|^f$|key$|pred|callback|binop|getsizeof|timer|factory|op$|^key|ctor|filter|cmp",
    "int": r"^[nijk]$|size|count|num|index|width|max|min|len|depth|level|start|stop|end|step|limit|bits|precision|ttl",
    "float": r"^[xyz]$|ratio|prob|value|lower|upper|seconds|frac|rate",
    "str": r"str|text|name|sep|path|word|prefix|suffix|char|msg|format|^s$|pattern|encoding|line|label|tag|unit|data",
    "list": r"seq|iter|items|values|list|rows|coll|args|src|xs|tabular|headers|elements|nodes|data|options|columns",
    "dict": r"dict|map|^d$|kw|params|attrs|mapping|config|opts",
    "bool": r"^(is|has|use|allow|reverse|strict|with|show|copy|deep|safe|force|clean|inclusive)|case",
    "set": r"set$",
}


class ArgumentEvidence:
    """What is known about the arguments of a module's functions. A method is known by its name without its class.

    `classes` are the names of the module's classes of which a test can make objects, and `enums` the members of the
    enumerations.
    """

    def __init__(self, classes: Collection[str], enums: Mapping[str, Sequence[str]] | None = None) -> None:
        self._classes, self._enums = classes, enums or {}
        self._texts: dict[tuple[str, str], dict[str, None]] = defaultdict(dict)
        self._recorded_classes: dict[tuple[str, str], set[str]] = defaultdict(set)

    def record(self, records: Iterable[ExampleRecord]) -> None:
        """Learn from the calls that examples make."""
        for one in records:
            for owner, param, text, kind in one.calls:
                key = _last(owner), param
                texts, classes = self._texts[key], self._recorded_classes[key]
                if text:
                    texts[text] = None
                if kind in self._classes:
                    classes.add(kind)

    def record_written(self, arguments: Iterable[tuple[str, str, str]]) -> None:
        """Learn from arguments in the package's code: (function, parameter, text)."""
        for owner, param, text in arguments:
            self._texts[owner, param][text] = None

    def parameters(self, owner: str) -> list[str]:
        """Return the names of the public parameters in recorded calls of a function."""
        return [param for one, param in self._recorded_classes if one == owner and param[0] != "_"]

    def texts(self, owner: str, param: str, kind: str = "") -> list[str]:
        """Return the recorded arguments that can be written, of one kind or of all."""
        return [text for text in self._texts.get((_last(owner), param), ()) if kind in ("", recorded_kind(text))]

    def cannot_be_written(self, owner: str, param: str) -> bool:
        """Whether the parameter was given in recorded calls, but nothing that a test can write."""
        key = _last(owner), param
        return key in self._recorded_classes and not self._texts[key] and not self._recorded_classes[key]

    def element_classes(self, param: Mapping[str, Any]) -> list[str]:
        """Return the classes of the elements of the containers that the parameter takes, by its annotation."""
        annotation = str(param["annotation"])
        outer = _without_parts(annotation)
        return [one for one in self._classes if _names(annotation, one) and not _names(outer, one)]

    def classes(self, owner: str, param: Mapping[str, Any]) -> list[str]:
        """Return the classes whose objects the parameter takes, as far as known."""
        annotation = _without_parts(param["annotation"])
        recorded = self._recorded_classes.get((_last(owner), param["name"]), ())
        named = "".join(map(str.capitalize, str(param["name"]).split("_")))
        return [one for one in self._classes if one in recorded or one == named or _names(annotation, one)]

    def weights(self, owner: str, param: Mapping[str, Any], has_objects: bool = False) -> dict[str, float]:
        """Return the kinds of arguments that the parameter takes, with their weights; a guess if nothing is known.

        `has_objects` tells whether the module is about objects that the repository's examples make.
        """
        name, default = str(param["name"]), param["default"]
        own = "|".join(map(re.escape, self._classes)) or "$."
        annotation = re.sub(rf"\b({own})\b", "", _without_parts(param["annotation"]))
        annotated = {kind for kind, pattern in ANNOTATION_PATTERNS.items() if re.search(pattern, annotation)}
        members = [text for one, texts in self._enums.items() for text in texts if one in param["annotation"]]
        if members:
            self._texts[_last(owner), name] = dict.fromkeys(members)
        recorded = {recorded_kind(text) for text in self.texts(owner, name)}
        known = annotated | recorded | ({OBJECT} if self.classes(owner, param) else set())
        if not known and default not in (None, "None") and (kind := kind_of(default)) in PLAIN_KINDS:
            known = {kind}
        if known:
            return {kind: RARE if kind == "none" else 1.0 for kind in sorted(recorded if members else known)}
        hinted = [kind for kind, pattern in NAME_PATTERNS.items() if re.search(pattern, name.lower())]
        if not hinted and has_objects and "." in owner:
            hinted = [OBJECT]
        kinds = (*PLAIN_KINDS, *([OBJECT] if self._classes else []))
        guesses = {kind: 1.0 if kind in COMMON_KINDS else RARE for kind in kinds}
        return guesses | dict.fromkeys(hinted, LIKELY)


def _names(annotation: str, name: str) -> bool:
    return bool(re.search(rf"\b{name}\b", annotation))


def _without_parts(annotation: str) -> str:
    """Return the annotation without the types of the parts of containers and functions, which are in brackets."""
    before = ""
    while before != annotation:
        before = annotation
        annotation = re.sub(
            r"(\w*)\[([^\[\]]*)\]",
            lambda found: f"{found[1]}({found[2]})" if found[1] in ("Union", "Optional") else found[1],
            annotation,
        )
    return annotation


def _last(owner: str) -> str:
    return owner.rpartition(".")[2]


def recorded_kind(text: str) -> str:
    """Return the kind of a recorded argument; a name, such as that of a function or constant, is GIVEN."""
    kind = kind_of(text)
    return GIVEN if kind == "callable" and text not in ("None", "...") else kind
