"""Whether a changed test still has the inputs of the old one, so that only what it expects differs.

The syntax trees of both versions are compared side by side. They may differ in constants that an assertion compares
with something that stays, in values that are used for this only, and in how an assertion is made of the same subject.
Everything else must be equal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from aci.graph.parser import node_text, walk

if TYPE_CHECKING:
    from tree_sitter import Node

MOST_BYTES, DEEPEST = 60_000, 150
"""Limits of the code of a test; for more, the answer is no."""
RUNNERS = frozenset({"expect", "assert", "assertThat", "require", "t", "test", "is", "self", "this", "$this", "cls"})
"""What the calls start with that assert; others assert if their names begin with `assert`, `refute` or `must_`."""
ASSERTING = re.compile(r"assert\w*!?|refute\w*|(?:must|wont)_\w+")
EXPECTATION = re.compile(r"(?:must|wont)_\w+")
"""Minitest's calls of the value itself, or of what wraps it: `a.must_equal 3`, `_(a).must_be_nil`."""
WRAPPING = frozenset({"_", "value", "expect"})
EXACT = re.compile(
    r"(?i)(?:assert_?|must_?|to_?|be_?|is_?|deep_?|strict_?|loose_?)*"
    r"(?:equals?(?:to)?|eq|eql|be|is|same(?:as)?|none|nil|null|throws?(?:exactly)?|raises?(?:_?error|_?regex)?"
    r"|rejects?|panics?)(?:with)?"
)
"""Matchers that leave no room: equality, or an error."""
TRUTH = re.compile(
    r"(?i)(?:not )?(?:assert_?|must_?|to_?|be_?|is_? ?)*(?:true|false|truthy|falsy)|assert(?:_not)?|refute|(?:not)?ok"
)
"""Matchers of truth, which may only replace one another."""
ERRORS = re.compile(r"(?i)(?:\w*[._])?(?:assert_?)?(?:throws?|raises)\w*")
ERROR_CLASSES = frozenset({"constant", "scope_resolution"})
"""Nodes of Ruby that name the class of an error, which is what an assertion of an error expects."""
REPORTS = re.compile(r"(?:Error|Fatal|Log|Skip)f?")
"""Go's calls that only report."""
EXPECTED = re.compile(
    r"(?i)(?:is|has|the)?_?(?:expect|expected|exp|want|wanted|wanterr|out|output|result|err|error|answer)"
)
"""Names of the expected values of a row whose use is not part of the test's code."""
COMPARISONS = frozenset({"comparison_operator", "binary_expression", "binary"})
EQUALITY = frozenset({"==", "===", "is", "!=", "!=="})
COLLECTIONS = frozenset(
    {
        *("list", "tuple", "array", "object", "hash", "dictionary", "array_expression", "tuple_expression"),
        *("literal_value", "array_initializer", "array_creation_expression"),
    }
)
PAIRS = frozenset({"pair", "keyed_element", "field_initializer"})
PATTERNS = frozenset({"array_pattern", "tuple_pattern", "pattern_list", "formal_parameters"})
DECLARATIONS = frozenset(
    {
        *("variable_declarator", "assignment", "let_declaration", "const_item", "static_item", "var_spec"),
        *("const_spec", "short_var_declaration", "assignment_expression"),
    }
)
CALLBACKS = frozenset(
    {"arrow_function", "function_expression", "func_literal", "closure_expression", "lambda", "block", "do_block"}
)
WRAPPERS = frozenset({"argument", "body_statement", "expression_statement", "statement_list"})
LITERALS = re.compile(
    r"string|number|integer|int|float|decimal|true|false|none|null|nil|undefined|char|escape|boolean|regex"
)
MEMBERS = frozenset({"attribute", "member_expression", "selector_expression", "field_expression", "field_access"})
CONSTANT_NAMES = re.compile(r"None|True|False|nil|null|undefined|NaN|Infinity|[A-Z][A-Z0-9_]+|Err[A-Z]\w*")
CONSTRUCTORS = re.compile(
    r"(?:set|frozenset|list|dict|tuple|bytes|timedelta|date|datetime|dedent|vec!?|of|asList|Some|Ok|Err|Optional|Decimal"
    r"|Fraction|Date|BigInt|errors\.New|Arrays\.asList|(?:Optional|List|Map|Set|Duration|LocalDate)\.of\w*)"
)
"""Calls that make a value of their arguments and belong to no project."""


class Assertion(NamedTuple):
    """What an assertion is about (texts of the operands that are not constant), its matcher, and whether this leaves no
    room."""

    subjects: tuple[str, ...]
    matcher: str
    is_exact: bool


def has_same_inputs(old: Sequence[Node], new: Sequence[Node]) -> bool:
    """Whether the new code of a test differs from the old one only in what it expects."""
    sizes = [node.end_byte - node.start_byte for node in (*old, *new)]
    if len(old) != len(new) or sum(sizes) > MOST_BYTES:
        return False
    code = _Code(old)
    return all(code.is_same(before, after) for before, after in zip(old, new, strict=True))


class _Code:
    """The nodes of a test's old version, for the uses of names."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = nodes

    def is_same(self, old: Node, new: Node, depth: int = 0) -> bool:
        if _words(old) == _words(new):
            return True
        if depth > DEEPEST:
            return False
        if (before := _assertion(old)) and (after := _assertion(new)):
            is_truth = all(TRUTH.fullmatch(one.matcher) for one in (before, after))
            is_as_strict = after.is_exact or is_truth or after.matcher == before.matcher
            return bool(before.subjects) and before.subjects == after.subjects and is_as_strict
        if old.type != new.type:
            return False
        if _is_checked(old) and _operator(old) == _operator(new):
            return _differs_in_constant(_values(old), _values(new))
        if old.type in DECLARATIONS or old.type in PAIRS:
            return self._is_same_value(old, new, depth)
        if _is_report(old) and _is_report(new):
            texts = {"interpreted_string_literal", "raw_string_literal"}
            words = _pairs(arguments_of(old) or old, arguments_of(new) or new)
            return bool(words) and all(_words(a) == _words(b) or {a.type, b.type} <= texts for a, b in words)
        if (names := self._parameters(old)) and _callee(old) == _callee(new):
            given, others = arguments_of(old), arguments_of(new)
            return given is not None and others is not None and self._is_same_row(given, others, names)
        if old.type in COLLECTIONS and (names := self._names_of_row(old)):
            return self._is_same_row(old, new, names)
        pairs = _pairs(old, new)
        return bool(pairs) and all(self.is_same(before, after, depth + 1) for before, after in pairs)

    def _is_same_value(self, old: Node, new: Node, depth: int) -> bool:
        """Whether a declaration, or a pair of a row, differs only in a constant that is an expected value."""
        pairs = _pairs(old, new)
        differing = [(before, after) for before, after in pairs if _words(before) != _words(after)]
        if len(differing) != 1:
            return False
        [(before, after)] = differing
        name = re.search(r"[\w$]+", node_text(old.named_children[0]))
        is_value = before != old.named_children[0] and _is_constant(before) and _is_constant(after)
        if is_value and name and self._is_expected(name[0], old.type in PAIRS):
            return True
        return self.is_same(before, after, depth + 1)

    def _is_same_row(self, old: Node, new: Node, names: Sequence[str]) -> bool:
        values, others = _values(old), _values(new)
        if len(values) != len(others) or len(names) != len(values):
            return False
        rows = zip(values, others, names, strict=True)
        differing = [row for row in rows if _words(row[0]) != _words(row[1])]
        return all(_is_constant(a) and _is_constant(b) and self._is_expected(name, False) for a, b, name in differing)

    def _names_of_row(self, row: Node) -> list[str]:
        """Return the names of the values of a row of a table; nothing if this is no row, or they are not known."""
        values = _values(row)
        above = row.parent
        while above is not None and above.type not in COLLECTIONS and len(above.named_children) == 1:
            above = above.parent
        if (
            len(values) < 2
            or above is None
            or above.type not in COLLECTIONS
            or any(one.type in PAIRS for one in values)
        ):
            return []
        found = {names for node in self._nodes for names in _patterns(node) if len(names) == len(values)}
        return list(next(iter(found))) if len(found) == 1 else []

    def _parameters(self, call: Node) -> list[str]:
        """Return the names of the parameters of a function that is defined with the test; nothing for other calls."""
        name = _callee(call)
        for node in self._nodes[1:] if name else ():
            function = next((one for one in walk(node) if one.child_by_field_name("parameters") is not None), None)
            if function is not None and node_text(function.child_by_field_name("name")) == name:
                parameters = _values(function.child_by_field_name("parameters") or function)
                return [re.findall(r"[$\w]+", node_text(one))[0] for one in parameters]
        return []

    def _is_expected(self, name: str, is_key: bool) -> bool:
        """Whether a name is used as an operand of assertions and in reports only."""
        uses = [use for node in self._nodes for use in _uses(node, name)]
        return all(uses) if uses else is_key and EXPECTED.fullmatch(name) is not None


def _assertion(node: Node) -> Assertion | None:
    """Return the assertion that a statement or a call consists of; None if it is no assertion."""
    while node.type in (*WRAPPERS, "block") and len(_values(node)) == 1:
        node = _values(node)[0]
    if node.type == "assert_statement":
        return _of_condition(node.named_children[0])
    if node.type == "with_statement":
        clause, body = node.named_children[0], node.child_by_field_name("body")
        if body is not None and len(_values(body)) == 1 and ERRORS.match(node_text(clause).lstrip("(")):
            return Assertion((node_text(_values(body)[0]),), "raises", True)
        return None
    if node.type == "macro_invocation":
        name, tokens = node_text(node.child_by_field_name("macro")), node.named_children[-1]
        if not name.startswith("assert") or tokens.type != "token_tree":
            return None
        parts = _parts_of_tokens(tokens)
        subjects = tuple(" ".join(map(node_text, part)) for part in parts if not _are_constant(part))
        return Assertion(subjects, name, name == "assert_eq")
    return _of_call(node)


def _of_condition(condition: Node) -> Assertion:
    """Return what Python's `assert` is about."""
    if condition.type == "not_operator":
        return Assertion((node_text(condition.named_children[-1]),), "is false", False)
    if condition.type != "comparison_operator":
        return Assertion((node_text(condition),), "is true", False)
    operands = _values(condition)
    subjects = tuple(node_text(one) for one in operands if not _is_constant(one))
    operator = _operator(condition)
    return Assertion(subjects, operator, operator in ("==", "is") and len(subjects) == 1)


def _of_call(node: Node) -> Assertion | None:
    name = node_text(node.child_by_field_name("method"))
    if arguments_of(node) is None and not EXPECTATION.fullmatch(name):
        return None
    links = [node]  # the calls of a chain, outermost first
    while (receiver := _receiver(links[-1])) is not None and len(links) < DEEPEST:
        if arguments_of(receiver) is not None or receiver.child_by_field_name("block") is not None:
            links.append(receiver)
        elif (inner := receiver.child_by_field_name("object")) is not None and arguments_of(inner) is not None:
            links.append(inner)  # as in expect(a).not.toBe(b)
        else:
            break
    first = re.match(r"[$\w]+", node_text(links[-1]))
    matcher = _callee(node) or name
    is_alone = len(links) == 1 and first is not None and first[0] == matcher != "assert"  # such as test("title", …)
    is_runner = first is not None and first[0] in RUNNERS and not is_alone
    if not is_runner and not ASSERTING.fullmatch(matcher):
        return None
    operands = [argument for link in reversed(links) for argument in _operands_of_call(link)]
    value = _receiver(node)
    if value is not None and EXPECTATION.fullmatch(matcher) and first is not None and first[0] not in WRAPPING:
        operands = [value, *_operands_of_call(node)]
    if re.search("raises?$", matcher):
        operands = [one for one in operands if one.type not in ERROR_CLASSES]
    if matchers := [name for one in operands if (name := _rspec_matcher(one))]:  # as in expect(a).to eq(b)
        matcher, operands = matchers[-1], [one for one in operands if not _rspec_matcher(one)]
    subjects = tuple(_subject(one) for one in operands if not _is_constant(one) and node_text(one) not in ("t", "self"))
    between = node_text(node)[len(node_text(links[-1])) :] if len(links) > 1 else ""
    matcher = f"not {matcher}" if re.match(r"[\s.]*(?:not|to_not)\b", between) else matcher
    return Assertion(subjects, matcher, bool(EXACT.fullmatch(matcher)) and len(subjects) == 1)


def _rspec_matcher(node: Node) -> str:
    """Return the name of RSpec's matcher, such as `eq(3)` and `raise_error`; "" for anything else."""
    name = _callee(node) if arguments_of(node) is not None else node_text(node)
    return name if re.fullmatch(r"eq|eql|equal|be|raise_error|match|include|be_\w+", name) else ""


def _operands_of_call(call: Node) -> Iterator[Node]:
    arguments, block = arguments_of(call), call.child_by_field_name("block")
    yield from _values(arguments) if arguments is not None else ()
    yield from [block] if block is not None else []


def _subject(node: Node) -> str:
    """Return the text of an operand, or of what a callback consists of."""
    while node.type in CALLBACKS or node.type in WRAPPERS:
        inner: Node | None = node.child_by_field_name("body") or (_values(node)[0] if len(_values(node)) == 1 else None)
        if inner is None:
            break
        node = inner
    return " ".join(node_text(node).split()).removesuffix(";")


def _differs_in_constant(old: Sequence[Node], new: Sequence[Node]) -> bool:
    """Whether one of two operands is the same and not constant, and the other one is constant in both versions."""
    if len(old) != 2 or len(new) != 2:
        return False
    kept = [_words(before) == _words(after) for before, after in zip(old, new, strict=True)]
    constant = [_is_constant(before) and _is_constant(after) for before, after in zip(old, new, strict=True)]
    return sorted(zip(kept, constant, strict=True)) == [(False, True), (True, False)]


def _is_constant(node: Node) -> bool:
    """Whether an expression consists of literals, also in collections and in calls that make a value."""
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if (arguments := arguments_of(each)) is not None:
            callee = node_text(each)[: -len(node_text(arguments)) or None].strip().removeprefix("new ")
            if not CONSTRUCTORS.fullmatch(callee):
                return False
            waiting += _values(arguments)
        elif each.type in PAIRS:
            waiting += each.named_children[1:]
        elif each.type == "keyword_argument" or each.type == "composite_literal":
            waiting += each.named_children[-1:]
        elif each.named_child_count == 0 or "string" in each.type:
            is_name = "interpolation" in {one.type for one in walk(each)} or not LITERALS.search(each.type)
            if is_name and not CONSTANT_NAMES.fullmatch(node_text(each)) and each.type not in COLLECTIONS:
                return False
        elif any(word in each.type for word in ("subscript", "index", "lambda", "function", "binary", "comprehension")):
            return False
        else:
            waiting += each.named_children
    return True


def _are_constant(tokens: Sequence[Node]) -> bool:
    """Whether tokens of a Rust macro consist of literals and calls that make a value."""
    names = [leaf for token in tokens for leaf in walk(token) if "identifier" in leaf.type]
    return all(CONSTRUCTORS.fullmatch(text) or CONSTANT_NAMES.fullmatch(text) for text in map(node_text, names))


def _uses(root: Node, name: str) -> Iterator[bool]:
    """Yield for each use of a name, or of a field with this name, whether it is an operand that an assertion compares,
    or is only reported."""
    for leaf in walk(root):
        if leaf.child_count or node_text(leaf) != name or "string" in leaf.type or _is_declared(leaf):
            continue
        whole = leaf
        while whole.parent is not None and whole.parent.type in MEMBERS and whole.parent.named_children[-1] == whole:
            whole = whole.parent
        holder = whole.parent
        while holder is not None and holder.type in ("argument", "literal_element", "arguments", "argument_list"):
            holder = holder.parent
        if holder is None:
            yield False
        elif holder.type == "token_tree" and holder.parent is not None and holder.parent.type == "macro_invocation":
            parts = _parts_of_tokens(holder)
            yield _assertion(holder.parent) is not None and any(part[0] == leaf for part in parts)
        elif holder.type in COMPARISONS:
            yield _is_checked(holder)
        else:
            yield _is_report(holder) or _of_call(holder) is not None


def _is_checked(node: Node) -> bool:
    """Whether this is a comparison for equality that is asserted: by Python's `assert`, or by an `if` of Go that
    reports."""
    if node.type not in COMPARISONS or _operator(node) not in EQUALITY:
        return False
    above = node.parent
    while above is not None and above.type in ("parenthesized_expression", "binary_expression", "boolean_operator"):
        above = above.parent
    if above is None or above.type != "if_statement":
        return above is not None and above.type == "assert_statement"
    body = above.child_by_field_name("consequence")
    return body is not None and any(map(_is_report, walk(body)))


def _is_declared(leaf: Node) -> bool:
    """Whether a name is declared here: by a variable, a parameter, a pattern, or as the key of a row."""
    node = leaf
    while node.parent is not None:
        above = node.parent
        if above.type in DECLARATIONS or above.type in PAIRS:
            return above.named_children[0] == node
        if "parameter" in above.type or "pattern" in above.type or above.type == "field_declaration":
            return True
        if above.type in ("for_statement", "for_in_clause", "for_in_statement", "range_clause", "for_expression"):
            return above.named_children[0] == node
        if above.named_child_count > 1 and above.type not in ("expression_list", "literal_element"):
            return False
        node = above
    return False


def _patterns(root: Node) -> Iterator[tuple[str, ...]]:
    """Yield the names that a row is taken apart into: by a loop, a callback, Python's `parametrize` or the fields of a
    struct in Go."""
    for node in walk(root):
        if node.type in PATTERNS:
            found = (re.search(r"[\w$]+", node_text(one)) for one in _values(node))
            yield tuple(name[0] for name in found if name)
        elif node.type == "struct_type":
            fields = [one for one in walk(node) if one.type == "field_identifier"]
            yield tuple(map(node_text, fields))
        elif _callee(node) == "parametrize" and (arguments := arguments_of(node)) is not None:
            yield tuple(re.findall(r"\w+", node_text(_values(arguments)[0])))


def arguments_of(node: Node) -> Node | None:
    """Return the arguments of a call; None if the node is no call."""
    if (found := node.child_by_field_name("arguments")) is not None:
        return found
    return next((child for child in node.children if child.type in ("arguments", "argument_list")), None)


def _receiver(call: Node) -> Node | None:
    function = call.child_by_field_name("function") or call
    fields = ("receiver", "object", "operand", "value")
    return next(filter(None, (function.child_by_field_name(field) for field in fields)), None)


def _callee(call: Node) -> str:
    """Return the last name of what a call calls; "" if it is no call."""
    arguments = arguments_of(call)
    if arguments is None:
        return ""
    named = call.child_by_field_name("name") or call.child_by_field_name("method")
    text = node_text(named) or node_text(call)[: arguments.start_byte - call.start_byte]
    found: list[str] = re.findall(r"[$\w]+", text)
    return found[-1] if found else ""


def _is_report(node: Node) -> bool:
    return bool(REPORTS.fullmatch(_callee(node))) and node_text(_receiver(node)) == "t"


def _operator(node: Node) -> str:
    return " ".join(node_text(child) for child in node.children if not child.is_named)


def _pairs(old: Node, new: Node) -> list[tuple[Node, Node]]:
    """Return the children of both side by side; none if their numbers differ, or anything between them."""
    befores, afters = _values(old), _values(new)
    marks = [[node_text(child) for child in node.children if not child.is_named] for node in (old, new)]
    return list(zip(befores, afters, strict=True)) if len(befores) == len(afters) and marks[0] == marks[1] else []


def _values(node: Node) -> list[Node]:
    return [child for child in node.named_children if child.type != "comment"]


def _parts_of_tokens(tokens: Node) -> list[list[Node]]:
    """Return the tokens between the commas of a Rust macro's arguments."""
    parts: list[list[Node]] = [[]]
    for token in tokens.children[1:-1]:
        if token.type == ",":
            parts.append([])
        else:
            parts[-1].append(token)
    return [part for part in parts if part]


def _words(node: Node) -> list[bytes]:
    return (node.text or b"").split()
