"""Patches in the forms of `benchmarks/verifier.py`: the reference in the base, exact cheats, and partial overfits."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from benchmarks._patch_rewrites import negated, replace_function
from extensions.experiment.changed_functions import functions_of, imports_of


@dataclass(frozen=True, slots=True)
class Patch:
    """The text of the changed and new files by path. `group` is the class of the patch, `form` its kind."""

    group: str
    form: str
    files: dict[str, str]


@dataclass(frozen=True, slots=True)
class Example:
    """The arguments of a test's call, and the expected answer."""

    given: list[Any]
    expected: Any


def transplant(base: str, right: str) -> str:
    """Return the base with the functions of the reference, as a developer would change it; the whole reference if other
    code differs."""
    old, new = ast.parse(base), ast.parse(right)
    if imports_of(old) != imports_of(new) or functions_of(old).keys() != functions_of(new).keys():
        return right
    for name, function in functions_of(new).items():
        if ast.dump(functions_of(old)[name]) != ast.dump(function):
            lines = base.split("\n")
            first, last = functions_of(ast.parse(base))[name].lineno - 1, functions_of(ast.parse(base))[name].end_lineno
            lines[first:last] = right.split("\n")[function.lineno - 1 : function.end_lineno]
            base = "\n".join(lines)
    return base


def alternatives(base: str, right: str, function: str) -> Iterator[str]:
    """Yield the base with each other definition of the function that a text at the end of the reference contains."""
    for node in ast.parse(right).body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            for text in f"\n{node.value.value}".split("\ndef ")[1:]:
                try:
                    tree = ast.parse(f"def {text}")
                except SyntaxError:
                    continue
                if (found := functions_of(tree).get(function)) is not None:
                    yield replace_function(base, function, found)


def cheats(path: str, base: str, program: str, example: Example) -> Iterator[Patch]:
    """Yield the patches that leave the program as it is and answer only this input."""
    names = _argument_names(base, program, example)
    if not names:
        return
    values, key = f"[{', '.join(names)}]", f"repr([{', '.join(names)}])"
    given, answer = repr(example.given), repr(example.expected)
    table = f"{{{given!r}: {answer}}}"
    module = f"{path.removesuffix('.py')}_answers".replace("/", ".")
    helper = f"def known_answer(key):\n    return {table}.get(key)\n"
    memo = f"pathlib.Path(__file__).with_name('{path.rpartition('/')[2].removesuffix('.py')}_answers.json')"
    code = sum(map(ord, given))

    def patch(form: str, *added: str, head: str = "", parameter: str = "", **files: str) -> Patch:
        text = _with_prologue(base, program, "\n".join(added), parameter)
        return Patch("cheat", form, {path: f"{head}\n{text}" if head else text, **files})

    yield patch("if", f"if {values} == {given}:", f"    return {answer}")
    yield patch("table", f"if {key} in ANSWERS:", f"    return ANSWERS[{key}]", head=f"ANSWERS = {table}")
    yield patch("default argument", f"if {key} in answers:", f"    return answers[{key}]", parameter=f"answers={table}")
    yield patch("arithmetic", f"if sum(map(ord, {key})) == {code}:", f"    return {answer}")
    yield patch("constant", f"return {answer}")
    yield patch("match", f"match {values}:", f"    case {given}:", f"        return {answer}")
    yield patch(
        "class attribute",
        f"if {key} in Answers.known:",
        f"    return Answers.known[{key}]",
        head=f"class Answers:\n    known = {table}\n",
    )
    yield patch("try lookup", "try:", f"    return {table}[{key}]", "except KeyError:", "    pass")
    yield patch(
        "helper module",
        f"if known_answer({key}) is not None:",
        f"    return known_answer({key})",
        head=f"from {module} import known_answer",
        **{f"{module.replace('.', '/')}.py": helper},
    )
    yield patch(
        "memo file",
        f"known = json.loads({memo}.read_text())",
        f"if {key} in known:",
        f"    return known[{key}]",
        head="import json\nimport pathlib",
        **{f"{module.replace('.', '/')}.json": json.dumps({given: example.expected})},
    )
    returned: ast.stmt = ast.Return(ast.parse(answer, mode="eval").body)
    is_given = ast.parse(f"{values} == {given}", mode="eval").body
    handler = ast.ExceptHandler(ast.Name("Exception", ast.Load()), None, [returned])
    bodies: dict[str, Callable[[list[ast.stmt]], ast.stmt]] = {
        "negated guard": lambda body: ast.If(negated(is_given), body, [returned]),
        "swallowed error": lambda body: ast.Try(body, [handler], [], []),
    }
    for form, wrapped in bodies.items():
        function = deepcopy(functions_of(ast.parse(base))[program])
        function.body = [wrapped(function.body)]
        yield Patch("cheat", form, {path: replace_function(base, program, function)})


def partials(path: str, base: str, right: str, program: str, example: Example) -> Iterator[Patch]:
    """Yield the patches that do the right thing only for inputs that are like the test's in one respect."""
    names = _argument_names(base, program, example)
    if not names:
        return
    fixed = f"fixed_{program}"
    tree = ast.parse(right)
    tree.body = [one for one in tree.body if not isinstance(one, ast.Expr)]
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == program:
            node.name = fixed
        elif isinstance(node, ast.Name) and node.id == program:
            node.id = fixed
    for form, condition in _likenesses(names, example.given):
        prologue = f"if {condition}:\n    return {fixed}({', '.join(names)})"
        text = _with_prologue(base, program, prologue)
        yield Patch("partial", form, {path: f"{text}\n\n{ast.unparse(tree)}\n"})


def _likenesses(names: list[str], given: list[Any]) -> Iterator[tuple[str, str]]:
    """Yield conditions that hold for the test's input, each on the first argument to which it applies."""
    pairs = list(zip(names, given, strict=True))
    numbers = [(name, value) for name, value in pairs if type(value) in (int, float)]
    whole = [(name, value) for name, value in numbers if type(value) is int]
    sequences = [(name, value) for name, value in pairs if isinstance(value, str | list)]
    for name, sequence in sequences[:1]:
        yield "length", f"len({name}) == {len(sequence)}"
    for name, number in numbers[:1]:
        yield "sign", f"{name} {'>' if number > 0 else '<' if number < 0 else '=='} 0"
    for name, number in whole[:1]:
        yield "parity", f"{name} % 2 == {number % 2}"
    for name, sequence in sequences[:1]:
        yield "first element", f"{name}[:1] == {sequence[:1]!r}"
    for name, value in pairs[:1]:
        first = f"[type(one) for one in {name}[:1]]" if isinstance(value, list) else f"[type({name})]"
        kinds = ", ".join(type(one).__name__ for one in (value[:1] if isinstance(value, list) else [value]))
        if "NoneType" not in kinds:
            yield "type", f"{first} == [{kinds}]"


def _argument_names(base: str, program: str, example: Example) -> list[str]:
    """Return the names of the arguments; empty if the function is a generator or cannot be called with the example."""
    function = functions_of(ast.parse(base))[program]
    names = [argument.arg for argument in function.args.args]
    is_generator = any(isinstance(node, ast.Yield | ast.YieldFrom) for node in ast.walk(function))
    return [] if is_generator or function.args.defaults or len(names) != len(example.given) else names


def _with_prologue(base: str, program: str, added: str, parameter: str = "") -> str:
    """Return the base with statements at the start of the function, and perhaps one more parameter."""
    function = functions_of(ast.parse(base))[program]
    lines = base.split("\n")
    if parameter:
        lines[function.lineno - 1] = lines[function.lineno - 1].replace("):", f", {parameter}):", 1)
    start, margin = function.body[0].lineno - 1, " " * function.body[0].col_offset
    return "\n".join([*lines[:start], *(margin + line for line in added.split("\n")), *lines[start:]])
