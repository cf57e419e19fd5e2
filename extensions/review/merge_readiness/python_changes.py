"""What a change does to Python source: comments, docstrings, defaults, new definitions, debug output."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Collection, Iterator, Sequence

DEBUGGERS = {
    *("breakpoint", "pdb.set_trace", "ipdb.set_trace", "pudb.set_trace", "ic", "pp", "pprint", "pprint.pprint"),
    *("pprint.pp", "traceback.print_exc", "traceback.print_stack"),
}
PRINTS = {"print", "sys.stderr.write", "sys.stdout.write", "sys.__stderr__.write"}
LOGGER = re.compile(
    r"(?i)(?:self\.|cls\.)?_?log(?:ger|ging)?(?:\.getLogger\(.*\))?\.(?:debug|info|warning|warn|error|critical|exception|log)"
)
MARKED_TEXT = re.compile(r"(?i)\W*(?:debug|dbg)\b")
DEBUG_TEXT = re.compile(r"(?i)\bdebug|\bdbg\b|\bxxx\b|>>>|\*\*\*|\bhere\b|=\s*[{%]|=['\"]")
ARITHMETIC = ast.Add | ast.Sub | ast.Mult | ast.Pow | ast.Div | ast.FloorDiv | ast.LShift
PLAIN = {"staticmethod", "classmethod", "property"}
LONGEST_DEFAULT = 40
"""Maximum length of a text that counts as a default, in characters; longer ones are templates."""
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def comments_of(source: str) -> dict[int, tuple[int, str]]:
    """Return the column and the text of each line's comment, by the line's index; of the part that can be read."""
    found = {}
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                found[token.start[0] - 1] = (token.start[1], token.string)
    except (tokenize.TokenError, SyntaxError):
        pass
    return found


def statement_end(tree: ast.Module | None, line: int) -> int:
    """Return the last line of the first statement that begins after `line`; `line` itself if there is none."""
    later = [one for one in ast.walk(tree) if isinstance(one, ast.stmt) and one.lineno > line] if tree else []
    first = min(later, key=lambda one: (one.lineno, -(one.end_lineno or 0)), default=None)
    return (first.end_lineno or line) if first else line


def statements_in(
    tree: ast.Module, lines: Sequence[str], first: int, last: int
) -> Iterator[tuple[str, tuple[str, ...], int]]:
    """Yield the syntax tree as text, the lines, and the number of the first line of each simple statement within these
    lines. The text has the column, since a statement that moves to another depth may need another layout."""
    simple = [node for node in ast.walk(tree) if isinstance(node, ast.stmt) and not hasattr(node, "body")]
    for node in simple:
        if first <= node.lineno and (node.end_lineno or node.lineno) <= last:
            text = tuple(line.strip() for line in lines[node.lineno - 1 : node.end_lineno])
            yield f"{node.col_offset} {ast.dump(node)}", text, node.lineno


def definitions_of(tree: ast.Module | None) -> dict[str, Definition]:
    """Return the functions and classes of a module outside of functions, by dotted name."""
    found: dict[str, Definition] = {}

    def visit(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, Definition):
                found[f"{prefix}{node.name}"] = node
                if isinstance(node, ast.ClassDef):
                    visit(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, ast.If | ast.Try):
                visit([*node.body, *node.orelse], prefix)

    visit(tree.body if tree else [], "")
    return found


def removed_docstrings(old: ast.Module, new: ast.Module) -> Iterator[tuple[str, int, int]]:
    """Yield the name, first and last line of each definition that has lost its docstring."""
    before, after = definitions_of(old), definitions_of(new)
    for name, node in after.items():
        known = before.get(name)
        if known and ast.get_docstring(known) and not ast.get_docstring(node):
            yield name, node.lineno, node.body[0].lineno


def debug_calls(
    old: ast.Module | None, new: ast.Module | None, added: Collection[int], words: Collection[str]
) -> list[tuple[int, str]]:
    """Return the line and the text of each new statement that looks like debug output.

    Output of a kind that the module has already, or that the issue names, counts only if it says so itself.
    """
    known = {_kind(name) for _, name, _ in _statement_calls(old)} if old else set()
    found = []
    for node, name, kind in _statement_calls(new) if new else ():
        if node.lineno not in added or not (kind or _is_marked(node)):
            continue
        text = ast.unparse(node)
        is_usual = kind != "debugger" and (kind in known or _kind(name) in known or name in words)
        if not is_usual or DEBUG_TEXT.search(text):
            found.append((node.lineno, text))
    return found


def _statement_calls(tree: ast.Module) -> Iterator[tuple[ast.Call, str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            name = ast.unparse(node.value.func)
            yield node.value, name, _kind(name)


def _is_marked(call: ast.Call) -> bool:
    """Whether the first argument of a call is a text that begins with `debug`."""
    first = call.args[0] if call.args else None
    text = first.values[0] if isinstance(first, ast.JoinedStr) and first.values else first
    return isinstance(text, ast.Constant) and isinstance(text.value, str) and bool(MARKED_TEXT.match(text.value))


def _kind(name: str) -> str:
    if name in DEBUGGERS:
        return "debugger"
    if name in PRINTS:
        return "print"
    return "log" if LOGGER.fullmatch(name) else ""


def changed_defaults(old: ast.Module, new: ast.Module, issue: str) -> Iterator[tuple[int, str, str, str]]:
    """Yield the line, name, old and new value of each literal default that changes and that the issue does not name.

    Defaults are those of parameters and the arguments of decorators, and the values of names and their entries in a
    module or class. An issue about defaults names one if it has a word of its name.
    """
    words = set(re.findall(r"\w+", issue))
    parts = _parts(issue) if re.search(r"(?i)\bdefaults?\b", issue) else set()
    before, after = dict(_defaults(old)), dict(_defaults(new))
    for name, value in after.items():
        known = before.get(name)
        if known is None or ast.dump(known) == ast.dump(value) or not _is_smaller(known, value):
            continue
        last = re.findall(r"\w+", name)[-1]
        is_named = last in words or not parts.isdisjoint(
            part for word in re.findall(r"\w+", name) for part in _parts(word)
        )
        if not is_named and not (last.startswith("__") and last.endswith("__")):
            yield value.lineno, name, ast.unparse(known), ast.unparse(value)


def _parts(name: str) -> set[str]:
    """Return the words of names, in lower case, without short ones."""
    return {part.lower() for part in re.findall(r"[A-Z]?[a-z]+|[A-Z]+|\d+", name) if len(part) > 2}


def _is_smaller(old: ast.expr, new: ast.expr) -> bool:
    """Whether a default is another scalar, or a list of them that has lost some."""
    if isinstance(old, ast.List | ast.Tuple | ast.Set) and isinstance(new, type(old)) and old.elts and new.elts:
        lost = {ast.dump(one) for one in old.elts} - {ast.dump(one) for one in new.elts}
        return bool(lost) and len(old.elts) > len(new.elts) and all(map(_is_scalar, (*old.elts, *new.elts)))
    return _is_scalar(old) and _is_scalar(new)


def _is_scalar(node: ast.expr) -> bool:
    """Whether a node is a literal, or arithmetic with literals as in `60 * 60`."""
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ARITHMETIC) and _is_scalar(node.left) and _is_scalar(node.right)
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    if isinstance(value, str):
        return len(value) <= LONGEST_DEFAULT and "\n" not in value
    return not isinstance(value, list | dict | set | tuple) or not value


def _defaults(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """Yield the name and the value of each default: `function(parameter)`, `function@option`, `Class.name` and
    `name[key]`."""
    bodies = [("", tree.body)]
    for name, node in definitions_of(tree).items():
        for decorator in node.decorator_list:
            yield from _option_defaults(name, decorator)
        if isinstance(node, ast.ClassDef):
            bodies.append((f"{name}.", node.body))
            continue
        given = [*node.args.posonlyargs, *node.args.args]
        pairs = list(zip(given[len(given) - len(node.args.defaults) :], node.args.defaults, strict=True))
        pairs += [(one, value) for one, value in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if value]
        yield from ((f"{name}({parameter.arg})", value) for parameter, value in pairs)
    for prefix, body in bodies:
        for statement in body:
            if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
                target, value = statement.targets[0], statement.value
            elif isinstance(statement, ast.AnnAssign) and statement.value:
                target, value = statement.target, statement.value
            else:
                continue
            if isinstance(target, ast.Name):
                yield f"{prefix}{target.id}", value
                yield from _entries(f"{prefix}{target.id}", value)


def _option_defaults(name: str, decorator: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """Yield the arguments of a decorator by name, such as the `default` of click's options."""
    if isinstance(decorator, ast.Call):
        first = decorator.args[0].value if decorator.args and isinstance(decorator.args[0], ast.Constant) else ""
        what = f"{name}@{first or ast.unparse(decorator.func)!r}"
        yield from ((f"{what}.{one.arg}", one.value) for one in decorator.keywords if one.arg not in (None, "help"))


def _entries(name: str, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """Yield the entries of a dictionary with constant keys, also of one that is the argument of a call."""
    if isinstance(value, ast.Call) and len(value.args) == 1:
        value = value.args[0]
    if isinstance(value, ast.Dict):
        for key, entry in zip(value.keys, value.values, strict=True):
            if isinstance(key, ast.Constant):
                yield f"{name}[{key.value!r}]", entry


def new_definitions(old: ast.Module | None, new: ast.Module) -> Iterator[tuple[str, int, int]]:
    """Yield the name, first and last line of each new function, class, method and module constant.

    Definitions that code elsewhere may call unseen are left out: those with a decorator of another kind than
    `staticmethod`, `classmethod` and `property`, names that Python calls, and public methods of classes with bases.
    """
    before, after = definitions_of(old), definitions_of(new)
    for name, node in after.items():
        owner, _, last = name.rpartition(".")
        if name in before or (owner and owner not in before) or last.startswith("__"):
            continue
        parent = after.get(owner)
        may_override = isinstance(parent, ast.ClassDef) and bool(parent.bases) and not last.startswith("_")
        if not may_override and all(isinstance(one, ast.Name) and one.id in PLAIN for one in node.decorator_list):
            yield name, node.lineno, node.end_lineno or node.lineno
    inner = {node.name for node in _inner_functions(old)} if old else set()
    for node in _inner_functions(new):
        if node.name not in inner and not node.decorator_list:
            yield node.name, node.lineno, node.end_lineno or node.lineno
    known = {name for name, _ in _assigned(old)} if old else set()
    for name, statement in _assigned(new):
        if name not in known and not name.startswith("__"):
            yield name, statement.lineno, statement.end_lineno or statement.lineno


def _inner_functions(tree: ast.Module) -> list[ast.FunctionDef]:
    """Return the functions within functions."""
    outer = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    inner = (one for node in outer for one in ast.walk(node) if isinstance(one, ast.FunctionDef) and one is not node)
    return list(dict.fromkeys(inner))


def _assigned(tree: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    """Yield the names that a module and its classes assign, without those that a base class may read."""
    yield from _names_in(tree.body)
    for node in definitions_of(tree).values():
        if isinstance(node, ast.ClassDef) and not any("Enum" in ast.unparse(base) for base in node.bases):
            yield from (pair for pair in _names_in(node.body) if not node.bases or pair[0].isupper())


def _names_in(body: Sequence[ast.stmt]) -> Iterator[tuple[str, ast.stmt]]:
    for statement in body:
        targets = statement.targets if isinstance(statement, ast.Assign) else []
        targets = [statement.target] if isinstance(statement, ast.AnnAssign) else targets
        yield from ((one.id, statement) for one in targets if isinstance(one, ast.Name))


def is_bound_in(tree: ast.Module | None, source: str, name: str, lines: Collection[int]) -> bool:
    """Whether the first of the lines that use a name, in the functions around `lines` or else in the module, is one of
    `lines`: where another line binds it, the name may have changed with its meaning."""
    functions = [node for node in ast.walk(tree) if isinstance(node, Definition)] if tree else []
    around = [
        node
        for node in functions
        if not isinstance(node, ast.ClassDef) and all(node.lineno <= line <= (node.end_lineno or 0) for line in lines)
    ]
    inner = max(around, key=lambda node: node.lineno) if around else None
    first, last = (inner.lineno, inner.end_lineno or 0) if inner else (1, source.count("\n") + 1)
    uses = [
        at
        for at, line in enumerate(source.split("\n")[first - 1 : last], first)
        if re.search(rf"\b{re.escape(name)}\b", line.partition("#")[0])
    ]
    return bool(uses) and uses[0] in lines
