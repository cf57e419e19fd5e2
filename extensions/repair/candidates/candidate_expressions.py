"""Code generated for a statement from the names in scope: calls that match a signature, attributes of `self`, and code
with opposite words.

An argument usually has the name of its parameter, so a call can be generated from the function's signature alone. A
missing statement most likely uses a value that nothing else reads, or an attribute whose name resembles the function's.
"""

from __future__ import annotations

import ast
import io
import keyword
import re
import tokenize
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator
from difflib import SequenceMatcher
from functools import lru_cache, partial
from itertools import combinations

from extensions.experiment.source.code_blocks import Loop, block, enclosing_nodes, owner
from extensions.experiment.source.source_file import Definition, Source
from extensions.repair.analysis.callable_library import Signature
from extensions.repair.analysis.donor_code import OBJECTS, short
from extensions.repair.analysis.name_usage import interleave, names_of, unique
from extensions.repair.analysis.unbound_names import UnboundNames, bindings, find_unbound_names
from extensions.repair.analysis.weak_cache import cache_by_first
from extensions.repair.candidates.template_site import TemplateSite

MOST_CALLS, MOST_FILLERS, MOST_KINDS, MOST_CONSTANTS, MOST_FACTORS = 60, 4, 4, 24, 8
KINDS = {"List": "list", "ListComp": "list", "Set": "set", "SetComp": "set", "Dict": "dict", "DictComp": "dict"}
WORD = re.compile(r"[A-Za-z_]\w*")
TURNS: tuple[tuple[str, str], ...] = (
    ("left", "right"), ("start", "end"), ("start", "stop"), ("first", "last"), ("first", "second"), ("min", "max"),
    ("row", "col"), ("rows", "cols"), ("row", "column"), ("width", "height"), ("top", "bottom"), ("lower", "upper"),
    ("low", "high"), ("lo", "hi"), ("prev", "next"), ("head", "tail"), ("begin", "end"), ("open", "close"),
    ("key", "value"), ("keys", "values"), ("src", "dst"), ("source", "target"), ("before", "after"), ("old", "new"),
    ("x", "y"), ("a", "b"), ("i", "j"), ("horizontal", "vertical"), ("parent", "child"), ("add", "remove"),
    ("append", "appendleft"), ("pop", "popleft"), ("push", "pop"), ("get", "set"), ("read", "write"), ("in", "out"),
    ("encode", "decode"), ("load", "dump"), ("forward", "backward"), ("fwd", "inv"),
    ("prefix", "suffix"), ("enter", "exit"), ("up", "down"), ("inc", "dec"), ("lhs", "rhs"), ("one", "other"),
)  # fmt: skip
"""Pairs of words with opposite or complementary meanings."""


def names(spot: TemplateSite) -> list[str]:
    """Return the names in scope except `self` and `cls`, with unread names first."""
    return unique([*(one for one in unbound_names_at(spot).idle if one in spot.donors.visible), *spot.donors.plain])


def unbound_names_at(spot: TemplateSite) -> UnboundNames:
    return find_unbound_names(spot.source, spot.donors.holder)


def members(spot: TemplateSite) -> list[str]:
    """Return the attributes of `self`, except methods, that the enclosing class uses, with names most similar to the
    function's first."""
    found = owner(spot.source, spot.statement)
    return _members(found, spot.donors.holder) if found is not None and "self" in spot.donors.names else []


def container_attributes(spot: TemplateSite) -> dict[str, str]:
    """Map attributes such as `self.items` to the type of container assigned to them: `list`, `set`, `dict`, `deque`."""
    found = owner(spot.source, spot.statement)
    return _held(spot.source, found) if found is not None else {}


@cache_by_first
def _members(found: ast.ClassDef, holder: ast.AST) -> list[str]:
    methods = {node.name for node in found.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    used = [
        node.attr
        for root in (holder, found)
        for node in ast.walk(root)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
    ]
    there = [name for name in unique(used) if name not in methods and not name.startswith("__")]
    return sort_by_similarity(getattr(holder, "name", ""), there)


@cache_by_first
def _held(source: Source, found: ast.ClassDef) -> dict[str, str]:
    result: dict[str, str] = {}
    for node in ast.walk(found):
        if not isinstance(node, ast.Assign | ast.AnnAssign):
            continue
        called = node.value.func if isinstance(node.value, ast.Call) else None
        kind = KINDS.get(type(node.value).__name__) or (called.id if isinstance(called, ast.Name) else "").lower()
        kind = {"defaultdict": "dict", "ordereddict": "dict", "counter": "dict"}.get(kind, kind)
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Attribute) and kind in ("list", "set", "dict", "deque"):
                result.setdefault(source.text(target), kind)
    return result


def calls(spot: TemplateSite) -> list[str]:
    """Return calls to functions in the source files whose arguments are named like the parameters, best match first."""
    library = spot.donors.library
    scored: list[tuple[float, int, str]] = []
    there, within = names(spot), owner(spot.source, spot.statement)
    title = getattr(spot.donors.holder, "name", "")
    visible = set(library.visible(spot.source))
    options: list[tuple[str, Signature]] = []
    for name, found in library.functions.items():
        options += [(name, one) for one in found if name in visible and name != title]
    for name, found in library.methods.items():
        if (
            within is not None
            and "self" in spot.donors.names
            and name in set(library.members.get(within.name, ())) - library.properties
        ):
            options += [(f"self.{name}", one) for one in found if name != title and not name.startswith("__")]
        if within is not None and name == title:
            options += [(f"super().{name}", one) for one in found if one.owner != within.name]
    idle = set(unbound_names_at(spot).idle)
    for called, signature in options:
        likeness = _alike(called.rpartition(".")[2], title)
        for fed, text in _filled(signature, there, idle):
            scored.append((-(fed + likeness), len(scored), f"{called}({text})"))
    return unique(text for _, _, text in sorted(scored))[:MOST_CALLS]


def other_constants(spot: TemplateSite, value: object) -> list[str]:
    """Return constants of the same type: those of the function, the module and the tests; for a number, also products
    of the function's numbers; for a character, also the characters in the tests' strings, punctuation first."""
    literals = [*spot.donors.constants, *spot.donors.library.hints]
    if isinstance(value, str):
        texts = [one for one in map(ast.literal_eval, filter(_is_text, literals)) if one != value]
        letters = unique(letter for one in texts for letter in one) if len(value) == 1 else []
        near = [one for one in texts if len(one) == 1 or len(value) != 1]
        return unique(map(repr, [*near, *sorted(letters, key=str.isalnum)]))[:MOST_CONSTANTS]
    own = spot.donors.numbers
    factors = [one for one in own if one.isdigit()][:MOST_FACTORS]
    products = [str(int(one) * int(other)) for one, other in combinations(factors, 2)]
    known = [one for one in literals if one[:1].isdigit()]
    return [one for one in unique([*own, *products, *known]) if one != repr(value)][:MOST_CONSTANTS]


def _is_text(literal: str) -> bool:
    return literal[:1] in "\"'"


def conditions(spot: TemplateSite, first: Iterable[str] = ()) -> list[str]:
    """Return conditions to try at a statement.

    They alternate between the conditions in `first`, simple conditions on the statement's names, conditions in the same
    function, and conditions in other functions.
    """
    borrowed = spot.snippets.conditions(spot.source, spot.donors.holder) if spot.snippets is not None else []
    typed = _untyped(spot) if "TypeError" in spot.expected_exceptions else ()
    streams = (typed, first, _plain(spot), spot.donors.conditions, borrowed)
    return list(dict.fromkeys(interleave([iter(one) for one in streams])))


def _plain(spot: TemplateSite) -> Iterator[str]:
    """Yield conditions on one or two names: unread names, names bound just before, and names that the statement
    reads."""
    read = [node.id for node in ast.walk(spot.statement) if isinstance(node, ast.Name)]
    there = names(spot)
    ends = unbound_names_at(spot).idle
    wanted = unique([*(one for one in (*ends, *_just_bound(spot), *read) if one in there), *there])[:8]
    itself = ["self"] if "self" in spot.donors.names else []
    for name, value in _defaults(spot):
        yield from (f"{name} {sign} {value}" for sign in (("is", "is not") if value.isidentifier() else ("==", "!=")))
    for name in wanted[:4]:
        yield from (f"not {name}", name, f"{name} is None")
    for name in wanted[:3]:
        yield from (f"{name} is {other}" for other in [*itself, *wanted[:3]] if other != name)
        yield from (f"len({name}) < {other}" for other in [*wanted[:3], "1", "2"] if other != name)
        yield from (f"{name} {sign}" for sign in ("< 1", "< 2", "== 0", "< 0", "<= 0"))
    yield from _untyped(spot)
    for name in wanted[4:]:
        yield from (f"not {name}", f"{name} is None")


def _untyped(spot: TemplateSite) -> Iterator[str]:
    for name in _parameters(spot)[:2]:
        yield from (f"not isinstance({name}, {kind})" for kind in _kinds(spot))


def _just_bound(spot: TemplateSite) -> list[str]:
    """Return the names bound by the previous statement or, for the first statement of a block, by the enclosing loop or
    function."""
    found, place = block(spot.source, spot.statement)
    above = found[place - 1] if place else spot.source.parents.get(spot.statement)
    target = above.target if isinstance(above, Loop) and not place and not isinstance(above, ast.While) else above
    if isinstance(above, Definition):
        return _parameters(spot)
    return unique(bindings(target)) if target is not None and not isinstance(above, ast.While | ast.Try) else []


def _parameters(spot: TemplateSite) -> list[str]:
    holder = spot.donors.holder
    return [name for name in (names_of(holder) if isinstance(holder, Definition) else ()) if name not in OBJECTS]


def is_operator(spot: TemplateSite) -> bool:
    """Return whether the function is an operator method such as `__eq__` or `__add__`, which may reject operands of
    other types."""
    holder = spot.donors.holder
    name = getattr(holder, "name", "")
    return isinstance(holder, Definition) and name[:2] == name[-2:] == "__" and len(holder.args.args) == 2


def _kinds(spot: TemplateSite) -> list[str]:
    """Return the types that the file checks with `isinstance`, most frequent first; for an operator method, the
    method's own class comes first."""
    within = owner(spot.source, spot.statement)
    own = [within.name] if within is not None and is_operator(spot) else []
    return unique([*own, *_asked(spot.source)])[:MOST_KINDS]


@cache_by_first
def _asked(source: Source) -> list[str]:
    calls = [node for node in source.parents if isinstance(node, ast.Call) and len(node.args) == 2]
    named = [node for node in calls if isinstance(node.func, ast.Name) and node.func.id == "isinstance"]
    return [text for text, _ in Counter(source.text(node.args[1]) for node in named).most_common() if short(text)]


def _defaults(spot: TemplateSite) -> Iterator[tuple[str, str]]:
    """Yield each parameter that has a simple default value, together with this value."""
    holder = spot.donors.holder
    if isinstance(holder, Definition):
        plain = holder.args.posonlyargs + holder.args.args
        pairs = [*zip(reversed(plain), reversed(holder.args.defaults), strict=False)]
        pairs += [
            (one, value) for one, value in zip(holder.args.kwonlyargs, holder.args.kw_defaults, strict=True) if value
        ]
        for one, value in pairs:
            if isinstance(value, ast.Name | ast.Constant):
                yield one.arg, spot.text(value)


def returns_value(spot: TemplateSite) -> bool:
    """Return whether the innermost function may return a value: it is not a generator, and it either returns a value
    somewhere, or has no `return` and is not nested in another function."""
    around = (node for node in enclosing_nodes(spot.source, spot.statement) if isinstance(node, Definition))
    function = next(around, spot.donors.holder)
    kinds = _result_kinds(function)
    if kinds & {ast.Yield, ast.YieldFrom}:
        return False
    return bool(kinds - {type(None)}) or (not kinds and function is spot.donors.holder)


@cache_by_first
def _result_kinds(function: ast.AST) -> frozenset[type]:
    """Return the types of the returned expressions (of None for a bare `return`) and of the `yield` expressions of a
    function, without those of nested functions."""
    found, waiting = set(), list(ast.iter_child_nodes(function))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Return):
            found.add(type(node.value))
        elif isinstance(node, ast.Yield | ast.YieldFrom):
            found.add(type(node))
        waiting += [] if isinstance(node, Definition | ast.Lambda | ast.ClassDef) else ast.iter_child_nodes(node)
    return frozenset(found)


def opposite_texts(text: str) -> Iterator[str]:
    """For each word of TURNS that occurs in the code, yield the code with all occurrences of the word replaced by its
    opposite."""
    there = {part for word in words(text) for part in word.split("_")}
    for one, other in TURNS:
        for old, new in ((one, other), (other, one)):
            if old in there:
                yield change_words(text, partial(_other_side, old=old, new=new))


def all_opposite(text: str, known: Container[str]) -> str:
    """Return the code with each name replaced by its opposite that is in scope, also `a1` by `a2`; "" if fewer than two
    names have one."""
    changed = {word: _known_opposite(word, known) for word in unique(words(text))}
    changed = {word: other for word, other in changed.items() if other}
    return change_words(text, lambda word: changed.get(word, word)) if len(changed) > 1 else ""


def _known_opposite(word: str, known: Container[str]) -> str:
    others = [new for pair in TURNS for old, new in (pair, pair[::-1]) if old == word]
    others += [word[:-1] + new for old, new in (("1", "2"), ("2", "1")) if word.endswith(old)]
    return next((one for one in others if one in known), "")


def replace_word(text: str, old: str, new: str) -> str:
    """Replace a name throughout the code, wherever it is a variable, attribute or keyword argument; leading and
    trailing underscores are kept."""

    def change(word: str) -> str:
        if word.strip("_") != old.strip("_"):
            return word
        changed = word.replace(old.strip("_"), new.strip("_"))
        return new if keyword.iskeyword(changed) else changed

    return change_words(text, change)


def words(text: str) -> list[str]:
    """Return the words of Python code in order, including those in its strings."""
    return [part for part, is_word in _parts(text) if is_word]


def change_words(text: str, change: Callable[[str], str]) -> str:
    """Apply a function to each word of Python code, except in string prefixes and in strings with escape sequences."""
    return "".join(change(part) if is_word else part for part, is_word in _parts(text))


@lru_cache(maxsize=4_096)
def _parts(text: str) -> tuple[tuple[str, bool], ...]:
    """Split Python code into pieces, each with a flag that is true for words that may be changed; code that cannot be
    tokenized stays in one piece.

    The code is tokenized inside parentheses, where indentation has no meaning, so that it may be a fragment of a block.
    """
    starts = [0, -1, *(found.end() for found in re.finditer("\n", text))]
    found: list[tuple[str, bool]] = []
    at, before = 0, ""
    try:
        for token in tokenize.generate_tokens(io.StringIO(f"({text}\n)").readline):
            kind, now = tokenize.tok_name[token.type], token.string
            if kind in _PIECES and before != "!":
                first = starts[token.start[0]] + token.start[1]
                if text.startswith(now, first):  # in an f-string, the tokenizer reports `{{` as `{`
                    found += [(text[at:first], False), *_PIECES[kind](now)]
                    at = first + len(now)
            before = now
    except (tokenize.TokenError, SyntaxError):
        return ((text, False),)
    return (*found, (text[at:], False))


def _name(name: str) -> Iterator[tuple[str, bool]]:
    yield name, True


def _literal(literal: str) -> Iterator[tuple[str, bool]]:
    """Yield the pieces of a string literal."""
    body = literal.lstrip("rRbBfFuU")
    yield literal[: len(literal) - len(body)], False
    yield from _string_text(body)


def _string_text(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the pieces of a string's content, or of an f-string's content outside its braces."""
    if "\\" in text:
        yield text, False
        return
    at = 0
    for one in WORD.finditer(text):
        if text[: one.start()][-1:] != "!":
            yield text[at : one.start()], False
            yield one[0], True
            at = one.end()
    yield text[at:], False


_PIECES = {"NAME": _name, "STRING": _literal, "FSTRING_MIDDLE": _string_text}


def _filled(signature: Signature, there: list[str], idle: set[str]) -> Iterator[tuple[float, str]]:
    """Yield argument lists with their scores: 1 point for each argument named like its parameter, and 1 more if nothing
    else reads that name."""
    positional = list(signature.positional)
    needed, rest = positional[: signature.required], positional[signature.required :]
    strange = [name for name in needed if name not in there]
    extra = [name for name in (*rest, *signature.keyword_only) if name in there]
    if len(strange) > 1:
        return
    for filler in there[:MOST_FILLERS] if strange else [""]:
        given = [filler if name in strange else name for name in needed]
        fed = sum(1.0 + (name in idle) for name in given) - 1.5 * len(strange)
        if extra:
            more = sum(1.0 + (name in idle) for name in extra)
            yield fed + more, ", ".join([*given, *(f"{name}={name}" for name in extra)])
            if not any(name in signature.keyword_only for name in extra) and rest[: len(extra)] == extra:
                yield fed + more - 0.1, ", ".join([*given, *extra])
        yield fed, ", ".join(given)


def _other_side(word: str, old: str, new: str) -> str:
    if keyword.iskeyword(word):
        return word
    return "_".join(new if part == old else part for part in word.split("_"))


@lru_cache(maxsize=50_000)
def _alike(one: str, other: str) -> float:
    return SequenceMatcher(None, one.strip("_"), other.strip("_"), autojunk=False).ratio()


def sort_by_similarity(wanted: str, texts: Iterable[str]) -> list[str]:
    """Sort strings by their similarity to a name, most similar first."""
    return sorted(texts, key=lambda text: -_alike(wanted, text))
