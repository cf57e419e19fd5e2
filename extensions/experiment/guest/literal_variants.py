"""Copies of tests with changed literals: other numbers, and other words in strings, the same ones everywhere in a test.

Values that are only compared with results, such as the expected ones, stay as they are, and assertions check nothing,
so that a copy runs to its end. Standard library only, for the target's own Python (3.6 and later).
"""

import ast
import copy
import re
import string
import types
import unittest

from .code_swap import FUTURE

WORD = re.compile(r"[^\W\d_]+|\d+")
LETTERS, DIGITS = string.ascii_lowercase, "123456789"
FIELDS = {"Constant": "value", "Num": "n", "Str": "s", "Bytes": "s", "NameConstant": "value"}
"""The attribute that holds the value of a literal; Python 3.8 and later have only the first type."""
CALLING = ("assertRaises", "assertRaisesRegex", "assertWarns", "assertWarnsRegex", "assertRaisesRegexp")
"""Assertions that get a function to call, with its arguments."""
CHECKS = {name for name in dir(unittest.TestCase) if name.startswith("assert")}.difference(
    CALLING, ("assertLogs", "assertNoLogs")
)
RAISES = ("raises", "warns", "deprecated_call")
SCALARS = (bool, int, float, str, bytes)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
TRIES, FAR = 20, 20
"""Number of attempts for a new value, and the number up to which small numbers may grow."""


class VariedTest:
    """A test whose literals can be changed, in its function or, if it is parametrized, in its parameters.

    `places` are the (type name, value) that can be changed: numbers, truth values, and words of strings, in small
    letters. Values for which `is_fixed(value)` holds stay.
    """

    def __init__(self, test, is_fixed):
        self.test = test
        self._is_fixed = is_fixed
        self._function = test.function()
        self._above, self._node = find_function(self._function.__code__) if self._function else ((), None)
        nodes = input_literals(self._node) if self._node else []
        values = [getattr(node, FIELDS[type(node).__name__]) for node in nodes]
        for value in (test.data() or {}).values():
            values += scalars_of(value)
        self.values = list({repr(value): value for value in values}.values())
        self.places = list(dict.fromkeys(place for value in self.values for place in self._places(value)))
        self._used = set()

    def _places(self, value):
        """Return the places in a scalar."""
        if self._is_fixed(value):
            return []
        if type(value) is bytes:
            value = value.decode("latin-1")
        if type(value) is str:
            return [("str", word.lower()) for word in WORD.findall(value) if not self._is_fixed(word)]
        is_finite = type(value) is not float or value - value == 0
        return [(type(value).__name__, value)] if is_finite else []

    def values_with(self, places):
        """Return the values of the test that contain one of these places."""
        return [value for value in self.values if set(places).intersection(self._places(value))]

    def changes(self, places, chance):
        """Return new values for these places, as a dict; the values of a test stay distinct, and new values are used
        once if possible."""
        changes, known = {}, set(self.places)
        for place in places:
            kind, value = place
            made = [changed_value(value, chance) for _ in range(TRIES)]
            made = [one for one in made if kind == "bool" or not (self._is_fixed(one) or (kind, one) in known)]
            fresh = [one for one in made if (place, one) not in self._used]
            for new in (fresh or made)[:1]:
                changes[place] = new
                known.add((kind, new))
                self._used.add((place, new))
        return changes

    def aligned_changes(self, places, chance):
        """Return new values for these places that keep how they relate: all letters and digits of words are replaced by
        others, and all numbers multiplied."""
        letters = dict(zip(LETTERS + DIGITS, _shuffled(LETTERS, chance) + _shuffled(DIGITS, chance)))
        factor = chance.randint(2, 9)
        made = {}
        for kind, value in places:
            if kind == "str":
                made[kind, value] = "".join(letters.get(letter, letter) for letter in value)
            else:
                made[kind, value] = not value if kind == "bool" else value * factor
        return {place: new for place, new in made.items() if new != place[1]}

    def apply(self, changes):
        """Change the test in this process."""
        data = self.test.data()
        for name in list(data or ()):
            data[name] = self._renamed(data[name], changes)
        if self._node is None:
            return
        node = copy.deepcopy(self._node)
        for literal in input_literals(node):
            field = FIELDS[type(literal).__name__]
            setattr(literal, field, self._renamed(getattr(literal, field), changes))
        code = compile_node(_WithoutChecks().visit(node), self._above, self._function.__code__)
        if code is not None:
            self._function.__code__ = code

    def _renamed(self, value, changes):
        kind = type(value)
        if kind in (list, tuple, set, frozenset):
            return kind([self._renamed(one, changes) for one in value])
        if kind is dict:
            return {self._renamed(key, changes): self._renamed(one, changes) for key, one in value.items()}
        if kind not in SCALARS or self._is_fixed(value):
            return value
        if kind is str:
            return WORD.sub(lambda word: self._renamed_word(word.group(), changes), value)
        if kind is bytes:
            return self._renamed(value.decode("latin-1"), changes).encode("latin-1")
        return changes.get((kind.__name__, value), value)

    def _renamed_word(self, word, changes):
        new = changes.get(("str", word.lower()))
        if new is None or self._is_fixed(word):
            return word
        if word.isupper():
            return new.upper()
        large = {at for at, letter in enumerate(word) if letter.isupper()}
        return "".join(letter.upper() if at in large else letter for at, letter in enumerate(new))


def find_function(code):
    """Return the names of the classes around a function, and its node in the syntax tree; ((), None) if there is no
    source."""
    try:
        with open(code.co_filename, "rb") as file:
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return (), None
    waiting = [((), node) for node in tree.body]
    while waiting:
        above, node = waiting.pop()
        if isinstance(node, FUNCTIONS):
            first = [one.lineno for one in node.decorator_list[:1]]
            if node.name == code.co_name and code.co_firstlineno in (node.lineno, *first):
                return above, node
            continue
        above += (node.name,) if isinstance(node, ast.ClassDef) else ()
        waiting += [(above, one) for one in ast.iter_child_nodes(node) if isinstance(one, ast.stmt)]
    return (), None


def compile_node(node, above, old):
    """Return the code of a function that may replace the code `old`; None if it closes over other variables."""
    node.decorator_list = []
    for name in reversed(above):
        holder = ast.parse("class X: pass").body[0]
        holder.name, holder.body = name, [node]
        node = holder
    module = ast.parse("")
    module.body = [ast.fix_missing_locations(node)]
    code = compile(module, old.co_filename, "exec", old.co_flags & FUTURE, True)
    for name in (*above, old.co_name):
        inside = [one for one in code.co_consts if isinstance(one, types.CodeType) and one.co_name == name]
        if not inside:
            return None
        code = inside[0]
    return code if code.co_freevars == old.co_freevars else None


def with_words(constants):
    """Return constants, as [type name, `repr`], with the words of strings that contain one, such as `"class "`."""
    texts = [ast.literal_eval(text) for kind, text in constants if kind == "str"]
    words = [found[0] for found in map(WORD.findall, texts) if len(found) == 1]
    return constants + [["str", repr(word)] for word in words]


def scalars_of(value):
    """Return the numbers, truth values and strings in nested containers."""
    if type(value) in (list, tuple, set, frozenset):
        return [one for part in value for one in scalars_of(part)]
    if type(value) is dict:
        return scalars_of(list(value.keys()) + list(value.values()))
    return [value] if type(value) in SCALARS else []


def changed_value(value, chance):
    """Return a value of the same kind: another number with the same sign, a word with one other letter, or a number in
    a string with other digits. Zeros and letters beyond ASCII stay, as they may be what a test is about."""
    if type(value) is bool:
        return not value
    if type(value) is not str:
        size = abs(value)
        near = (size + 1, size - 1, size + chance.randint(2, 9), size // 2 if type(size) is int else size / 2)
        far = (chance.randint(2, 4) * size, chance.randint(1, max(FAR, int(2 * size))))
        made = type(value)(chance.choice(near + far))
        return abs(made) if value > 0 else -abs(made)
    if value.isdigit():
        return "".join(chance.choice(DIGITS) if digit in DIGITS else digit for digit in value)
    places = [at for at, letter in enumerate(value) if letter in LETTERS]
    if not places:
        return value
    at = chance.choice(places)
    return value[:at] + chance.choice(LETTERS) + value[at + chance.choice((0, 1, 1, 1)) :]


def _shuffled(letters, chance):
    return "".join(chance.sample(letters, len(letters)))


class _Inputs(ast.NodeVisitor):
    """Collector of the literals of a test that are not compared with results."""

    def __init__(self):
        self.found = []

    def visit(self, node):
        name = type(node).__name__
        if name in FIELDS:
            if type(getattr(node, FIELDS[name])) in SCALARS:
                self.found.append(node)
            return
        getattr(self, "visit_" + name, self.generic_visit)(node)

    def visit_all(self, nodes):
        for node in nodes:
            self.visit(node)

    def visit_Expr(self, node):
        if type(node.value).__name__ not in FIELDS:  # otherwise a docstring
            self.visit(node.value)

    def visit_FunctionDef(self, node):
        self.visit_all(node.body)

    visit_AsyncFunctionDef = visit_ClassDef = visit_FunctionDef  # noqa: N815

    def visit_AnnAssign(self, node):
        if node.value:
            self.visit(node.value)

    def visit_FormattedValue(self, node):
        self.visit(node.value)

    def visit_Assert(self, node):
        self.visit(node.test)

    def visit_Compare(self, node):
        self.visit_all(_results([node.left, *node.comparators]))

    def visit_Call(self, node):
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        given = [one for one in node.keywords if not (name in RAISES and one.arg == "match")]
        if name in CALLING:
            given += node.args[1 + ("Regex" in name) :]
        elif name.startswith("assert"):
            given = _results(node.args[:2])
        else:
            given += node.args
        self.visit_all([node.func, *given])


def input_literals(function):
    """Return the literal nodes of a test function that are not compared with results, in a fixed order."""
    inputs = _Inputs()
    inputs.visit(function)
    return inputs.found


def _results(sides):
    """Return those sides of a comparison that are results and no expected values: those that call something, or only
    the first one if all do."""
    calling = [one for one in sides if any(isinstance(node, ast.Call) for node in ast.walk(one))]
    return calling[:1] if len(calling) == len(sides) else calling


class _WithoutChecks(ast.NodeTransformer):
    """Replaces assertions by what they evaluate."""

    def visit_Assert(self, node):
        return ast.copy_location(ast.Expr(value=node.test), node)

    def visit_Expr(self, node):
        call = node.value
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in CHECKS:
            node.value = ast.copy_location(ast.Tuple(elts=call.args, ctx=ast.Load()), call)
        return node
