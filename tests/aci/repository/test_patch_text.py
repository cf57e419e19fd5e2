"""Patches as editors, shells and mail programs save them: each gives the tree that the change itself gives."""

from __future__ import annotations

import codecs
import re
import subprocess
from collections.abc import Callable

import pytest

from aci.repository.patch import patch_forms, read_patch
from aci.repository.proposed_patch import tree_of_diff
from aci.repository.user_repository import Repository
from tests.aci.repository.conftest import User
from trajectories.errors import UsageError
from trajectories.git_store.trees import Trees

OLD = b"def total(prices):\n    return -sum(prices)\n\n\n\ndef count(prices):\n    return len(prices)\n"
NEW = OLD.replace(b"-sum", b"sum")
ADDED = b"from cart import total\n\n\ndef test_total():\n    assert total([1]) == 1  # caf\xc3\xa9\n"

Change = Callable[[User], object]


def write(path: str, data: bytes) -> Change:
    """Return the change that writes one file."""
    return lambda user: user.write(path, data)


def change_and_add(user: User) -> None:
    user.write("shop/cart.py", NEW)
    user.write("tests/test_new.py", ADDED)


def rename(user: User) -> None:
    user.git("mv", "shop/cart.py", "shop/basket.py")


def change_mode(user: User) -> None:
    (user.root / "shop" / "cart.py").chmod(0o755)


def delete(user: User) -> None:
    user.git("rm", "-q", "shop/cart.py")


CHANGES: dict[str, Change] = {"edit": change_and_add, "rename": rename, "mode": change_mode, "delete": delete}


@pytest.fixture
def shop(user: User) -> User:
    user.commit(**{"shop/cart.py": OLD})
    return user


def diff_of(user: User, change: Change, *options: str, config: tuple[str, ...] = ()) -> tuple[bytes, str]:
    """Return the diff of a change, as git writes it with these options, and the tree with the change."""
    change(user)
    user.git("add", "-A")
    tree = user.git("write-tree")
    diff = subprocess.run(
        ["git", *config, "diff", "--cached", *options], cwd=user.root, check=True, capture_output=True
    ).stdout
    user.git("reset", "-q", "--hard")
    return diff, tree


def tree_with(user: User, trees: Trees, data: bytes) -> str:
    source = Repository.open(user.root)
    return tree_of_diff(source, trees, source.commit(), read_patch(data, "fix.patch"))


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--no-prefix",),
        ("--src-prefix=old/", "--dst-prefix=new/"),
        ("--color=always",),
        ("--color=always", "--no-prefix", "--ws-error-highlight=all"),
        ("-M",),
    ],
)
def test_diff_with_other_options_gives_the_tree(
    shop: User, trees: Trees, change: str, options: tuple[str, ...]
) -> None:
    data, tree = diff_of(shop, CHANGES[change], *options)
    assert tree_with(shop, trees, data) == tree


@pytest.mark.parametrize("config", [("-c", "diff.mnemonicPrefix=true"), ("-c", "diff.noprefix=true")])
def test_diff_with_other_settings_gives_the_tree(shop: User, trees: Trees, config: tuple[str, ...]) -> None:
    data, tree = diff_of(shop, change_and_add, config=config)
    assert tree_with(shop, trees, data) == tree


@pytest.mark.parametrize(
    "save",
    [
        lambda diff: codecs.BOM_UTF8 + diff,
        lambda diff: diff.decode().encode("utf-16"),
        lambda diff: codecs.BOM_UTF16_BE + diff.decode().encode("utf-16-be"),
        lambda diff: diff.replace(b"\n", b"\r\n").decode().encode("utf-16"),  # as PowerShell redirects output
        lambda diff: diff.decode().encode("utf-32"),
        lambda diff: diff.replace(b"\n", b"\r\n"),
        lambda diff: diff.replace(b"\n", b"\r\n").rstrip(b"\n"),
        lambda diff: codecs.BOM_UTF8 + diff.replace(b"\n", b"\r\n").rstrip(),
        lambda diff: diff.rstrip(b"\n"),
        lambda diff: diff.strip(),
        lambda diff: re.sub(rb"[ \t]+\n", b"\n", diff),
        lambda diff: b"The fix:\n\n```diff\n" + diff + b"```\n",
        lambda diff: b"From: Ann\nSubject: fix\n\n---\n 1 file changed\n\n" + diff + b"-- \n2.39.5\n\n",
    ],
)
@pytest.mark.parametrize("change", ["edit", "mode", "delete"])
def test_saved_diff_gives_the_tree(shop: User, trees: Trees, save: Callable[[bytes], bytes], change: str) -> None:
    data, tree = diff_of(shop, CHANGES[change])
    assert tree_with(shop, trees, save(data)) == tree


def test_blank_context_at_the_end_may_be_cut_off(user: User, trees: Trees) -> None:
    user.commit(**{"a.py": b"a = 1\n\n\n\nb = 2\n"})
    data, tree = diff_of(user, write("a.py", b"a = 2\n\n\n\nb = 2\n"))
    assert data.endswith(b"+a = 2\n \n \n \n")
    assert tree_with(user, trees, data.strip()) == tree
    damaged = data.replace(b"@@ -1,4", b"@@ -1,999999999999999999").replace(b"+1,4", b"+1,999999999999999999")
    assert len(patch_forms(damaged.decode())[0].diff) == len(damaged), "a count is no reason to write much"


@pytest.mark.parametrize("saved", [b"\r\n", b"\n"], ids=["converted", "as git writes it"])
def test_file_with_crlf_keeps_its_line_ends(user: User, trees: Trees, saved: bytes) -> None:
    user.git("config", "core.autocrlf", "false")
    user.commit(**{"a.py": b"a = 1\r\nb = 2\r\n"})
    data, tree = diff_of(user, write("a.py", b"a = 2\r\nb = 2\r\n"))
    if saved == b"\r\n":  # as PowerShell does: it splits at either line end
        data = b"\r\n".join(data.replace(b"\r\n", b"\n").split(b"\n"))
    assert tree_with(user, trees, data) == tree


@pytest.mark.parametrize("names", [b"shop/cart.py shop/cart.py", b"a/shop/cart.py b/shop/cart.py"])
def test_diff_of_other_programs_applies(shop: User, trees: Trees, names: bytes) -> None:
    """`svn diff` writes no prefixes, `hg diff` writes them; neither writes a line `diff --git` by default."""
    old, new = names.split()
    data, tree = diff_of(shop, write("shop/cart.py", NEW))
    hunks = data[data.index(b"@@ ") :]
    head = b"--- " + old + b"\t(revision 5)\n+++ " + new + b"\t(working copy)\n"
    assert tree_with(shop, trees, b"Index: cart.py\n====\n" + head + hunks) == tree


def test_name_without_prefix_is_not_taken_for_another_file(user: User, trees: Trees) -> None:
    user.commit(**{"cart.py": OLD, "shop/cart.py": OLD})
    data, tree = diff_of(user, write("shop/cart.py", NEW), "--no-prefix")
    assert tree_with(user, trees, data) == tree


def test_refused_patch_names_reason_of_git_and_what_to_do(shop: User, trees: Trees) -> None:
    data, _ = diff_of(shop, change_and_add)
    with pytest.raises(UsageError, match=r"cart\.py: patch does not apply") as caught:
        tree_with(shop, trees, data.replace(b"-sum", b"-max"))
    assert caught.value.fix == "Name its base commit with --base."
    with pytest.raises(UsageError, match=r"The patch is damaged: corrupt patch at (?:line |<stdin>:)\d+") as caught:
        tree_with(shop, trees, data[: data.index(b"+    assert total")])
    assert caught.value.fix == "Make it again with `git diff --binary`."
    shop.commit(**{"logo.png": b"\0\1"})
    data, _ = diff_of(shop, write("logo.png", b"\0\2"))
    with pytest.raises(UsageError, match=r"lacks the content of a binary file: .*without full index line") as caught:
        tree_with(shop, trees, data)
    assert caught.value.fix == "Make it again with `git diff --binary`."


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "The patch fix.patch is empty."),
        ("\n".encode("utf-16"), "The patch fix.patch is empty."),
        (b"> diff --git a/x b/x\n", "The patch fix.patch contains no diff."),
        (b"PK\3\4\0\0\xff\xfe", "The patch fix.patch contains no diff."),
        (codecs.BOM_UTF16_LE + b"abc", "The patch fix.patch is not valid UTF-16."),
        (codecs.BOM_UTF32_LE + b"abc", "The patch fix.patch is not valid UTF-32."),
    ],
)
def test_file_that_is_no_patch_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_patch(data, "fix.patch")
    assert (caught.value.message, bool(caught.value.fix)) == (message, True)


def test_bytes_that_are_not_utf8_are_kept(user: User, trees: Trees) -> None:
    user.commit(**{"a.py": b"# caf\xe9\n"})
    data, tree = diff_of(user, write("a.py", b"# th\xe9 \x1b[31m\n"))
    assert tree_with(user, trees, data) == tree
