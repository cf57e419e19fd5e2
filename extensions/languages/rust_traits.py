"""Rust's standard traits, by the methods and the syntax that they give: what a type lacks, from an error of the
compiler."""

from __future__ import annotations

import re

METHODS = {
    **{"as_mut": "AsMut", "as_ref": "AsRef", "borrow": "Borrow", "clone": "Clone", "default": "Default"},
    **{"deref": "Deref", "deref_mut": "DerefMut", "index": "Index", "index_mut": "IndexMut", "to_owned": "ToOwned"},
    **{"extend": "Extend", "from_iter": "FromIterator", "next": "Iterator", "next_back": "DoubleEndedIterator"},
    **{"from": "From", "from_str": "FromStr", "into": "Into", "try_from": "TryFrom", "to_string": "Display"},
    **{"eq": "PartialEq", "ne": "PartialEq", "cmp": "Ord", "partial_cmp": "PartialOrd", "hash": "Hash"},
    **{"lt": "PartialOrd", "le": "PartialOrd", "gt": "PartialOrd", "ge": "PartialOrd", "max": "Ord", "min": "Ord"},
    **{"add": "Add", "sub": "Sub", "mul": "Mul", "div": "Div", "rem": "Rem", "neg": "Neg", "not": "Not"},
    **{"read": "Read", "write": "Write", "flush": "Write", "write_str": "Write", "seek": "Seek", "source": "Error"},
}
"""The trait that gives a method."""
OPERATORS = {
    **{"==": "PartialEq", "!=": "PartialEq", "<": "PartialOrd", "<=": "PartialOrd", ">": "PartialOrd"},
    **{">=": "PartialOrd", "&": "BitAnd", "|": "BitOr", "^": "BitXor", "<<": "Shl", ">>": "Shr"},
    **{"add": "Add", "subtract": "Sub", "multiply": "Mul", "divide": "Div", "calculate": "Rem"},
    **{"+=": "AddAssign", "-=": "SubAssign", "*=": "MulAssign", "/=": "DivAssign", "%=": "RemAssign"},
    **{"+": "Add", "-": "Sub", "*": "Mul", "/": "Div", "%": "Rem", "operator `-": "Neg", "operator `!": "Not"},
    **{"&=": "BitAndAssign", "|=": "BitOrAssign", "^=": "BitXorAssign", "<<=": "ShlAssign", ">>=": "ShrAssign"},
}
"""The trait that gives an operator, which the compiler names by a verb or writes as it is; unary ones are preceded
by a word."""
OPERATOR = re.compile(
    r"cannot (add|subtract|multiply|divide|calculate)\b"
    r"|(?:binary operation|binary assignment operation) `([^`\s]+)`|cannot apply unary (operator `[^`\s]+)`"
    r"|no implementation for `.+? ([&|^]|<<|>>)=? .+`"
)
SYNTAX = {
    "is not an iterator": ("Iterator", "IntoIterator"),
    "cannot index into a value": ("Index", "IndexMut"),
    "cannot be dereferenced": ("Deref",),
    "cannot be built from": ("FromIterator",),
    "cannot be made by summing": ("Sum",),
    "cannot be made by multiplying": ("Product",),
    "couldn't convert the error": ("From",),
    "cannot write into": ("Write",),
}
"""The traits of which one gives what these words of the compiler miss."""
NAMED = re.compile(r"(?:the trait bound `.*: |doesn't implement `)(?:\w+::)*(\w+)")
LABEL = re.compile(r"the trait `(?:\w+::)*(\w+)[^`]*` is not implemented for")
"""A trait that the compiler names in the first line of an error, and in those below it."""
METHOD = re.compile(r"no (?:method|function or associated item|associated function) named `(\w+)`")
CONVERSION = re.compile(r"^note: associated function defined here\n *--> \S*/core/src/convert/", re.MULTILINE)
"""Where `T::from(x)` leads to if T has only the trait `From` that each type has for itself."""
CALLED = re.compile(r"^( *\d+ \|.*)\n( *\| *)(\^+)", re.MULTILINE)
"""A line of the program, and the place in it that the compiler marks."""
SOURCE = re.compile(r"^ *\d+ *[|+~-].*", re.MULTILINE)
"""A line of the program that the compiler shows."""


def lacking_traits(error: str) -> set[str]:
    """Return the standard traits of which one gives the method, the operator or the syntax that an error of the
    compiler misses, or the traits that the error names; none if it is another error."""
    first, _, notes = SOURCE.sub("", error).partition("\n")
    if method := METHOD.search(first):
        return {METHODS[method[1]]} if method[1] in METHODS else set()
    if first == "mismatched types":
        return {"From"} if CONVERSION.search(notes) else set()
    found = {trait for words, traits in SYNTAX.items() if words in first for trait in traits}
    if found and (called := CALLED.search(error)):  # `max` is a method of `Ord` and of `Iterator`
        start = len(called[2])
        found |= {METHODS[name] for name in [called[1][start : start + len(called[3])]] if name in METHODS}
    if operator := OPERATOR.search(first):
        name = next(filter(None, operator.groups()))
        found |= {OPERATORS[name]} if name in OPERATORS else set()
    return found or set(NAMED.findall(first)) or set(LABEL.findall(notes))
