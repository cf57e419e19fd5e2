"""The code of existing tests, found by their ids: the test itself, and what its file defines for it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, NamedTuple

from aci.graph.file_selection import language_of
from aci.graph.parser import node_text, walk
from aci.proof import evidence
from aci.proof.compiled_tests import INLINE, inline_regions
from aci.repository.test_files import is_test
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from tree_sitter import Node

    from trajectories.git_store.trees import Trees

MOST_DEFINITIONS, LONGEST_DEFINITION, LARGEST = 4, 3_000, 2_000_000
"""Maximum number of definitions that are shown with a test, and of bytes of each and of a file."""
FUNCTIONS = frozenset(
    {
        *("function_definition", "function_declaration", "function_item", "method_declaration", "method_definition"),
        *("method", "singleton_method", "generator_function_declaration"),
    }
)
DATA = re.compile(r"const|static|var|lexical|assignment|expression_statement|field_declaration|property")
"""Types of nodes that may define values: in Go, JavaScript, Java, PHP, Python, Ruby and Rust."""
TITLED = {"javascript": " > ", "typescript": " > ", "tsx": " > ", "ruby": " "}
"""Languages in which tests have titles, and what joins these in an id."""
MINITEST = re.compile(r"::test_(?:\d{4}_)?|::|\s+")
"""The separators of the titles in an id of Minitest, such as `a.rb::Sum::big::test_0001_adds two`, and of words;
Rails has `_` there."""
TITLED_CALL = re.compile(
    r"(?:[\w$]+\.)?[fx]?(?:it|test|specify|describe|context|suite|example|feature|scenario|should)\b(?!\s*=)"
)
STRINGS = frozenset({"string", "template_string", "interpreted_string_literal"})


class FoundCode(NamedTuple):
    """The code of a test in one version of its file: its `name` or title, the `nodes` of the test itself and of the
    definitions that it uses, and their places as `spans`."""

    name: str
    nodes: tuple[Node, ...]
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class FileWithTests:
    """One version of a file with tests."""

    path: str
    data: bytes

    @classmethod
    def read(cls, trees: Trees, tree: str, path: str) -> FileWithTests:
        """Raises UsageError if there is no such file."""
        return cls(path, trees.read(tree, path))

    @cached_property
    def root(self) -> Node | None:
        """The syntax tree; None if the language is not supported or the file is too large or has errors."""
        return _parse(self.path, self.data)

    def find(self, id: str) -> FoundCode | None:
        """Return the code of the test with this id; None if it is not found, or several could be meant."""
        found = [node for node in self._tests(id) if self._is_test(node)] or list(self._titled_values(id))
        if len(found) > 1:
            words = set(re.findall(r"\w+", id))
            held = [(len(names), node) for node in found if words.issuperset(names := list(_holders(node)))]
            found = [node for count, node in held if count == max(count for count, _ in held)]
        if len(found) != 1:
            return None
        [node] = found
        nodes = tuple(_decorated(each) for each in (node, *self._definitions(node)))
        return FoundCode(
            _title(node) or _name(node) or id.rpartition(" > ")[2],
            nodes,
            tuple((_start(each), each.end_byte) for each in nodes),
        )

    def _tests(self, id: str) -> Iterator[Node]:
        place, _, rest = id.partition("::")
        last = rest.rpartition("::")[2] or evidence.function_name(place)
        name = re.split(r"[\[/(]| with data set ", last)[0]
        longest = 0
        titled: list[Node] = []
        language = language_of(self.path)
        joint = TITLED.get(language, "")
        for node in walk(self.root) if self.root else ():
            if node.type in FUNCTIONS and _name(node) == name:
                yield node
            elif joint and _title(node):
                titles = [*_titles_above(node), _title(node)]
                wanted, own = f"{joint}{rest}", joint + joint.join(titles)
                is_meant = wanted.endswith(own)
                if language == "ruby" and not is_meant:
                    is_meant = MINITEST.sub("_", wanted).endswith(MINITEST.sub("_", own))
                if is_meant and len(titles) >= longest:
                    titled = [*titled, node] if len(titles) == longest else [node]
                    longest = len(titles)
        yield from titled

    def _titled_values(self, id: str) -> Iterator[Node]:
        """Yield the objects that hold the title of a test which a loop defines."""
        title = id.rpartition(" > ")[2]
        for node in walk(self.root) if self.root and " > " in id else ():
            if node.type in STRINGS and node_text(node)[1:-1] == title:
                above = node.parent
                while above is not None and above.type != "object":
                    above = above.parent
                yield from [above] if above is not None else []

    def _is_test(self, node: Node) -> bool:
        return is_test(self.path) or any(start <= node.start_byte < end for start, end in self._inline)

    @cached_property
    def _inline(self) -> list[tuple[int, int]]:
        return inline_regions(self.path, self.data)

    def _definitions(self, test: Node) -> Iterator[Node]:
        """Yield the values and functions beside a test, or beside what contains it, that it uses by name."""
        words, above, count = set(re.findall(r"\w+", node_text(test))), test.parent, 0
        while above is not None:
            for node in above.named_children:
                is_one = node.type in FUNCTIONS or DATA.search(node.type)
                if not is_one or node.start_byte <= test.start_byte < node.end_byte or not self._is_test(node):
                    continue
                is_short = node.end_byte - node.start_byte <= LONGEST_DEFINITION
                if count < MOST_DEFINITIONS and is_short and words & set(_defined(node)):
                    count += 1
                    yield node
            above = above.parent


@lru_cache(4)
def _parse(path: str, data: bytes) -> Node | None:
    from aci.graph.parser import parse_syntax

    language = language_of(path)
    if not language or len(data) > LARGEST:
        return None
    root = parse_syntax(language, data)
    return None if root.has_error else root


def find_test(trees: Trees, tree: str, files: Collection[str], id: str) -> tuple[FileWithTests, FoundCode] | None:
    """Return the file and the code of the test with this id; None unless exactly one test can be meant."""
    found = []
    for path in dict.fromkeys(_paths(id, files)):
        try:
            file = FileWithTests.read(trees, tree, path)
        except (OSError, UsageError):
            continue
        if code := file.find(id):
            found.append((file, code))
    return found[0] if len(found) == 1 else None


def _paths(id: str, files: Collection[str]) -> Iterator[str]:
    """Yield the files that may hold a test: the one that its id names, one of the crate or of the package, or that of
    its class."""
    place, _, rest = id.partition("::")
    if place.endswith(INLINE):
        crate, _, root = place.rpartition(":")
        modules = rest.split("::")[:-1]
        stems = [posixpath.join(posixpath.dirname(root), *modules[:end]) for end in range(1, len(modules) + 1)]
        for path in files:
            named = next((one for one in (root, *_rust_files(stems)) if f"/{path}".endswith(f"/{one}")), None)
            folder = path.removesuffix(named or "").rstrip("/").rpartition("/")[2]
            if named and (not folder or folder.replace("-", "_") == crate):
                yield path
    elif found := evidence.find_test_file(place, files):
        yield found
    else:
        folder, name = posixpath.normpath(place), place.rpartition(".")[2].partition("$")[0]
        for path in files:
            above, base = posixpath.split(path)
            if (above or ".") == folder or base.partition(".")[0] == name:
                yield from [path] if is_test(path) else []


def _rust_files(stems: Iterable[str]) -> Iterator[str]:
    for stem in stems:
        yield from (f"{stem}.rs", f"{stem}/mod.rs")


def _name(node: Node) -> str:
    return node_text(node.child_by_field_name("name"))


def _title(node: Node) -> str:
    """Return the title of a call such as `it("adds", …)`; "" for others."""
    is_call = node.type in ("call_expression", "call") and TITLED_CALL.match(node_text(node)[:200])
    arguments = node.child_by_field_name("arguments") if is_call else None
    first = arguments.named_children[0] if arguments is not None and arguments.named_children else None
    return node_text(first)[1:-1] if first is not None and first.type in STRINGS else ""


def _titles_above(node: Node) -> list[str]:
    above = node.parent
    titles = []
    while above is not None:
        if title := _title(above):
            titles.append(title)
        above = above.parent
    return titles[::-1]


def _holders(node: Node) -> Iterator[str]:
    """Yield the names of the classes and modules that contain a node."""
    above = node.parent
    while above is not None:
        if name := _name(above):
            yield name
        above = above.parent


def _defined(node: Node) -> Iterator[str]:
    """Yield the names that a function, a declaration or an assignment defines."""
    if node.type in FUNCTIONS:
        yield _name(node)
        return
    inside = [inner for child in node.named_children for inner in child.named_children]
    for each in (node, *node.named_children, *inside):
        names = each.child_by_field_name("name") or each.child_by_field_name("left")
        yield from re.findall(r"\w+", node_text(names))


def _decorated(node: Node) -> Node:
    return node.parent if node.parent is not None and node.parent.type == "decorated_definition" else node


def _start(node: Node) -> int:
    """Return the start of a node with the attributes before it."""
    before = node.prev_sibling
    while before is not None and before.type == "attribute_item":
        node, before = before, before.prev_sibling
    return node.start_byte


def code_words(root: Node) -> list[bytes]:
    """Return the tokens of code without comments."""
    return [node.text or b"" for node in walk(root) if not node.child_count and "comment" not in node.type]
