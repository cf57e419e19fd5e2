"""Predictions as other programs save them: graded as the commands of SWE-bench's harness apply them, or decoded."""

from __future__ import annotations

import codecs
import shlex
from collections.abc import Callable

import pytest

from extensions.lab.evaluation.grading_files import apply
from tests.conftest import MakeRepo, OpenWorkspace, git
from trajectories.git_store.git_commands import decode

OLD = "def total(prices):\n    return -sum(prices)\n\n\ndef count(prices):\n    return len(prices)\n"
NEW = OLD.replace("-sum", "sum")
FORMS: dict[str, tuple[tuple[str, ...], Callable[[str], str]]] = {
    "as git writes it": ((), str),
    "CRLF": ((), lambda diff: diff.replace("\n", "\r\n")),
    "no last newline": ((), str.rstrip),
    "CRLF and no last newline": ((), lambda diff: diff.replace("\n", "\r\n").rstrip()),
    "byte order mark": ((), lambda diff: decode(codecs.BOM_UTF8) + diff),
    "no prefix": (("--no-prefix",), str),
    "context diff": ((), lambda diff: "*** a/shop/cart.py\n--- b/shop/cart.py\n"),
    "no diff": ((), lambda diff: "I changed the sign.\n"),
    "binary": ((), lambda diff: "\x00\x01\x02"),
}
DECODED: dict[str, tuple[tuple[str, ...], Callable[[str], str]]] = {
    "colours": (("--color=always",), str),
    "colours and no prefix": (("--color=always", "--no-prefix"), str),
    "colours and CRLF": (("--color=always",), lambda diff: diff.replace("\n", "\r\n")),
    "UTF-16": ((), lambda diff: decode(diff.encode("utf-16"))),
    "UTF-16 of PowerShell": (
        (),
        lambda diff: decode(codecs.BOM_UTF16_LE + diff.replace("\n", "\r\n").encode("utf-16-le")),
    ),
    "mark without a git header": ((), lambda diff: "\ufeff" + diff[diff.index("--- ") :]),
}


def prediction(make_repo: MakeRepo, form: tuple[tuple[str, ...], Callable[[str], str]]):
    options, change = form
    repo = make_repo({"shop/cart.py": OLD})
    (repo / "shop/cart.py").write_text(NEW)
    diff = git(repo, "diff", *options) + "\n"
    git(repo, "reset", "-q", "--hard")
    return repo, change(diff)


@pytest.mark.parametrize("form", FORMS)
def test_grade_is_that_of_the_harness(open_ws: OpenWorkspace, make_repo: MakeRepo, form: str) -> None:
    repo, patch = prediction(make_repo, FORMS[form])
    workspace = open_ws("local", repo)
    base = workspace.options.base.tree
    applied, _ = apply(workspace, patch, base)
    found = workspace.snapshot().tree
    workspace.restore(base)
    place = f"{workspace.harness}/theirs.diff"
    workspace.write(place, patch.encode("utf-8", "surrogateescape"))
    theirs = False
    for command in ("git apply --verbose", "patch --batch --fuzz=5 -p1 -i"):
        if not theirs:
            workspace.restore(base)
            line = f"cd {shlex.quote(workspace.root)} && {command} {shlex.quote(place)}"
            theirs = workspace.run(line).code == 0
    assert applied == theirs
    if applied:
        assert found == workspace.snapshot().tree


@pytest.mark.parametrize("form", DECODED)
def test_text_in_which_no_command_finds_a_diff_is_decoded(
    open_ws: OpenWorkspace, make_repo: MakeRepo, form: str
) -> None:
    repo, patch = prediction(make_repo, DECODED[form])
    workspace = open_ws("local", repo)
    applied, said = apply(workspace, patch, workspace.options.base.tree)
    assert applied == ("no prefix" not in form), said
    assert workspace.read("shop/cart.py").decode() == (NEW if applied else OLD)
