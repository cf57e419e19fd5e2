"""Functions that probably need the same change as a patch."""

from __future__ import annotations

from pathlib import Path

import pytest

from aci.graph.patch_impact import Edit
from extensions.code_search.mirrors import changed_functions, find_mirrors, line_shape
from trajectories.facts import Fact
from trajectories.git_store.trees import Trees

EMPTY = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
CLIENT = """\
class Client:
    def send(self, request):
        response = self.transport.handle(request)
        if response.status in REDIRECTS and self.follow:
            response = self.redirect(response)
        return response


class AsyncClient:
    async def send(self, request):
        response = await self.transport.handle(request)
        if response.status in REDIRECTS and self.follow:
            response = await self.redirect(response)
        return response


class Pool:
    def release(self, connection):
        self.idle.append(connection)
"""
REDIRECTED = "if response.status in REDIRECTS and self.follow:"
FIXED = "if response.has_location and self.follow:"


def mirrors(folder: Path, before: dict[str, str], after: dict[str, str]) -> list[Fact]:
    with Trees(folder / "trees.git") as trees:
        base = trees.write({path: text.encode() for path, text in before.items()}, EMPTY)
        tree = trees.write({path: text.encode() for path, text in after.items()}, base)
        return find_mirrors(trees, base, tree)


def test_function_with_same_lines_is_named(tmp_path: Path) -> None:
    (fact,) = mirrors(tmp_path, {"client.py": CLIENT}, {"client.py": CLIENT.replace(REDIRECTED, FIXED, 1)})
    assert fact == Fact(
        "mirror",
        "`AsyncClient.send` in client.py:10 has lines that the patch changes in `Client.send`. "
        "The patch leaves it unchanged.",
        {"path": "client.py", "line": 10, "name": "AsyncClient.send"},
    )


def test_mirror_in_another_file_is_named(tmp_path: Path) -> None:
    sync, _, rest = CLIENT.partition("class AsyncClient")
    before = {"client.py": sync, "async_client.py": f"class AsyncClient{rest}"}
    (fact,) = mirrors(tmp_path, before, {"client.py": sync.replace(REDIRECTED, FIXED)})
    assert fact.data["path"] == "async_client.py"


@pytest.mark.parametrize(
    "after",
    [
        CLIENT.replace(REDIRECTED, FIXED),
        CLIENT.replace("self.idle.append(connection)", "self.idle.insert(0, connection)"),
        CLIENT + "\n\nTIMEOUT = 3\n",
    ],
    ids=["both changed", "nothing similar", "outside of functions"],
)
def test_nothing_is_named_without_likely_mirror(tmp_path: Path, after: str) -> None:
    assert mirrors(tmp_path, {"client.py": CLIENT}, {"client.py": after}) == []


def test_function_that_already_has_added_lines_is_not_named(tmp_path: Path) -> None:
    before = CLIENT.replace(
        "await self.redirect(response)\n", "await self.redirect(response)\n            self.log.redirected()\n"
    )
    after = before.replace(
        "= self.redirect(response)\n", "= self.redirect(response)\n            self.log.redirected()\n"
    )
    assert mirrors(tmp_path, {"client.py": before}, {"client.py": after}) == []


def test_tests_are_not_named(tmp_path: Path) -> None:
    sync, _, rest = CLIENT.partition("class AsyncClient")
    before = {"client.py": sync, "tests/test_client.py": f"class AsyncClient{rest}"}
    assert mirrors(tmp_path, before, {"client.py": sync.replace(REDIRECTED, FIXED)}) == []


def test_hunk_belongs_to_innermost_function() -> None:
    before = "def outer(a):\n    def inner(b):\n        return b + 1\n    return inner(a)\n"
    (hunk,) = changed_functions(Edit("a.py", before, before.replace("b + 1", "b + 2")))
    assert (hunk.function.name, hunk.removed, hunk.added) == (
        "outer.inner",
        ("        return b + 1",),
        ("        return b + 2",),
    )
    assert hunk.after == ("    def inner(b):", "        return b + 2")


def test_shape_of_line_ignores_local_names() -> None:
    assert line_shape("total = self.add(left, 1)") == line_shape("result = self.add(right, 1)")
    assert line_shape("total = self.add(left, 1)") != line_shape("total = self.subtract(left, 1)")


TWICE = """\
def decode(data):
    value = OLD_CODEC.decode(data)
    return value


def encode(text):
    return OLD_CODEC.encode(text)
"""


def test_remaining_use_of_removed_name_is_named(tmp_path: Path) -> None:
    after = TWICE.replace("OLD_CODEC.decode(data)", "codec_of(data).decode(data)")
    (fact,) = mirrors(tmp_path, {"files.py": TWICE}, {"files.py": after})
    assert fact.data["name"] == "encode"
    assert "uses a name that the patch removes from `decode`" in fact.text


def test_unreadable_trees_have_no_mirrors(tmp_path: Path) -> None:
    with Trees(tmp_path / "trees.git") as trees:
        assert find_mirrors(trees, "0" * 40, "1" * 40) == []
