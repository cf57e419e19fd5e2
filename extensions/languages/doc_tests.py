"""Examples in the documentation of Rust code, which rustdoc runs as tests."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from aci.graph.parser import parse_syntax
from aci.repository.added_tests import only_adds_lines

if TYPE_CHECKING:
    from tree_sitter import Node

FENCE = b"```"
LEADING = ("attribute_item", "inner_attribute_item", "line_comment", "block_comment")
TAGS = r"rust|should_panic|no_run|compile_fail|standalone_crate|test_harness|edition\d+"
RUN = re.compile(rf"[\s,]*(?:(?:{TAGS})(?:{TAGS}|[\s,]|(?<=[\s,])E\d{{4}}(?![^\s,]))*)?")
"""The words after the fence of an example that rustdoc compiles, perhaps with an error's code behind them;
others, such as `text`, name another language."""
STUB = b"#[cfg(doctest)]\n#[allow(warnings)]\n"
"""What precedes an item that only rustdoc sees when it collects examples: no test can use it."""


class Documentation(NamedTuple):
    """The documentation of an item: its lines from `start` to `end`, the `examples` in it that run, and the `header`
    of the `impl` or trait that holds the item, "" if there is none."""

    start: int
    end: int
    lines: bytes
    examples: tuple[str, ...]
    header: bytes


Documented = Mapping[tuple[bytes, ...], Documentation]
"""The documentation of each item of a file, by what holds it and its name; that of the file itself has no name."""


def read_documentation(text: bytes) -> Documented | None:
    """Return the documentation of a file; None if it cannot be read."""
    root = parse_syntax("rust", text)
    if root.has_error:
        return None
    start = re.match(rb"(?:[ \t]*//!.*(?:\n|\Z)|[ \t]*\n)*", text)
    lines = start[0] if start and b"//!" in start[0] else b""
    found: dict[tuple[bytes, ...], Documentation] = {}
    found[()] = Documentation(0, len(lines), lines, _examples(lines), b"")
    for holders, header, item, first, docs in _items(root.children, (), b""):
        name = item.child_by_field_name("name")
        key = (*holders, (name.text or b"") if name is not None else _header(item))
        begin = text.rfind(b"\n", 0, docs[0].start_byte if docs else first) + 1
        end = (text.find(b"\n", docs[-1].start_byte) + 1 or len(text)) if docs else begin
        found.setdefault(key, Documentation(begin, end, text[begin:end], _examples(text[begin:end]), header))
    return found


def _items(
    children: Sequence[Node], holders: tuple[bytes, ...], header: bytes
) -> Iterator[tuple[tuple[bytes, ...], bytes, Node, int, list[Node]]]:
    """Yield the items with what holds them, the start of their attributes and comments, and their documentation."""
    docs: list[Node] = []
    first = -1
    for item in children:
        text = item.text or b""
        if item.type in LEADING:
            is_inner = text.startswith((b"//!", b"/*!", b"#!"))
            first = -1 if is_inner else item.start_byte if first < 0 else first
            docs += [item] if text.startswith(b"///") and not text.startswith(b"////") else []
            continue
        if item.is_named:
            yield holders, header, item, first if first >= 0 else item.start_byte, docs
            body = item.child_by_field_name("body")
            if body is not None and item.type in ("mod_item", "impl_item", "trait_item"):
                yield from _items(body.children, (*holders, _header(item)), _header(item))
        first, docs = -1, []


def _header(item: Node) -> bytes:
    return b" ".join((item.text or b"").partition(b"{")[0].split())


def _examples(lines: bytes) -> tuple[str, ...]:
    found: list[str] = []
    example: list[str] = []
    is_open = False
    for line in lines.decode("utf-8", "replace").splitlines():
        text = re.sub(r"^\s*//[/!] ?", "", line)
        if text.lstrip().startswith(FENCE.decode()):
            if is_open and RUN.fullmatch(example[0]):
                found.append("\n".join(example))
            is_open, example = not is_open, [text.strip().strip("`")]
        elif is_open:
            example.append(text)
    return tuple(found)


def has_changed_examples(before: Documented, after: Documented) -> bool:
    """Whether the examples of an item differ from those before, or it is new."""
    return any(one.examples != _examples_of(before, key) for key, one in after.items())


def only_adds_examples(before: Documented, after: Documented) -> bool:
    """Whether the examples of each item keep their lines, and those of removed items are elsewhere."""
    anywhere = {example for one in after.values() for example in one.examples}
    return all(
        only_adds_lines("\n".join(one.examples), "\n".join(after[key].examples))
        if key in after
        else anywhere.issuperset(one.examples)
        for key, one in before.items()
    )


def with_examples(text: bytes, own: Documented, other: Documented, new_items: bool = False) -> bytes:
    """Return the text of a file with the documentation of another version for the items whose examples differ.

    With `new_items`, items of which only the other version has examples follow at the end, without their code.
    """
    changed = {key: one for key, one in other.items() if one.examples != _examples_of(own, key)}
    pieces, at = [], 0
    for key in sorted(own.keys() & changed.keys(), key=lambda each: own[each].start):
        pieces += [text[at : own[key].start], other[key].lines]
        at = own[key].end
    stubs = (_stub(text, key, one) for key, one in changed.items() if key not in own) if new_items else ()
    return b"".join([*pieces, text[at:], *stubs])


def _examples_of(documented: Documented, key: tuple[bytes, ...]) -> tuple[str, ...]:
    return documented[key].examples if key in documented else ()


def _stub(text: bytes, key: tuple[bytes, ...], one: Documentation) -> bytes:
    """Return an item of this name that has only documentation; empty for what is inside of modules and of `impl` blocks
    of traits."""
    *holders, name = key
    function = one.lines + b"fn " + name + b"() {}\n"
    if not holders and re.fullmatch(rb"\w+", name):
        return b"\n" + STUB + function
    held = re.fullmatch(rb"(?:unsafe )?impl(?:<.*?>)? ?(\w+).*|(?:pub(?:\(.*?\))? )?trait (\w+).*", one.header)
    if len(holders) != 1 or held is None or re.search(rb"\bfor\b(?!<)", one.header):
        return b""
    place = held[1] or held[2]
    is_known = held[1] and re.search(rb"\b" + place + rb"\b", text)
    return b"\n" + STUB + (one.header if is_known else b"mod " + place) + b" {\n" + function + b"}\n"
