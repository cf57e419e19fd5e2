from __future__ import annotations

import pytest

from tests.tools.conftest import Bench, MakeBench
from trajectories.records import Action


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    return make_bench({"a.txt": "one\n", "b.txt": "two\n", ".gitignore": "*.log\n"})


def edit(old: str, new: str) -> Action:
    return Action("edit", {"path": "a.txt", "old": old, "new": new})


def test_undo_takes_back_the_last_changes(bench: Bench) -> None:
    bench.together(edit("one", "two"))
    bench("shell", command="echo log > x.log; rm b.txt; echo new > c.txt")
    bench("view", path="a.txt")
    seen = bench("undo")
    assert seen.text.splitlines()[1:] == ["b.txt +0 -1 (deleted)", "c.txt +1 -0 (new)"]
    assert bench.read("b.txt") == b"two\n"
    assert bench.read("x.log") == b"log\n"
    assert "not touched" in seen.text
    assert bench("undo").text.splitlines()[1:] == ["a.txt +1 -1"]
    assert bench.tree == bench.base.tree
    nothing = bench("undo")
    assert not nothing.ok
    assert nothing.text == "There is nothing to undo."


def test_undo_of_several_and_of_more_than_there_are(bench: Bench) -> None:
    for old, new in (("one", "1"), ("1", "2"), ("2", "3")):
        bench.together(edit(old, new))
    too_many = bench("undo", steps=4)
    assert not too_many.ok
    assert "Only 3" in too_many.text
    assert not bench("undo", steps=0).ok
    bench("undo", steps=2)
    assert bench.read("a.txt") == b"1\n"
    bench.together(edit("1", "5"))
    bench("undo")
    assert bench.read("a.txt") == b"1\n"


def test_undo_in_the_same_reply_as_the_change(bench: Bench) -> None:
    bench.together(edit("one", "1"), Action("undo"))
    assert bench.tree == bench.base.tree


def test_submit_names_the_changed_files(bench: Bench) -> None:
    refused = bench("submit", summary="done")
    assert not refused.ok
    assert "submitted" not in refused.data
    seen = bench.together(edit("one", "1\n2"), Action("submit", {"summary": "Numbers are right."}))[1]
    assert seen.ok
    assert seen.text == "Submitted:\na.txt +2 -1"
    assert seen.data["submitted"] is True
    assert seen.data["tree"] == bench.tree


def test_submit_of_many_and_of_binary_files(bench: Bench) -> None:
    bench("shell", command="for i in $(seq 40); do echo $i > n$i.txt; done; printf '\\0\\1' > a0.bin; chmod +x b.txt")
    rows = bench("submit", summary="x").text.splitlines()
    assert rows[1] == "a0.bin +0 -0 (new)"
    assert "b.txt +0 -0" in rows
    assert rows[-1] == "… 12 more files"


def test_what_is_not_recorded_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aci.store.PACK_LIMIT", 1000)
    bench("shell", command="echo small > new; head -c 100000 /dev/urandom > big")
    for tool in ("submit", "undo"):
        seen = bench(tool)
        assert not seen.ok
        assert "Not recorded" in seen.text
        assert "all changes since the last step" in seen.text
    bench("shell", command="rm big; mkfifo b.fifo; rm a.txt; mkfifo a.txt")
    seen = bench("submit")
    assert seen.ok
    assert seen.text.splitlines()[1:] == ["new +1 -0 (new)", "Not recorded, kept in its last state: a.txt"]
