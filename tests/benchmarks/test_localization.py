"""The benchmark of localization on a small real repository, its bad input, and the fit behind the weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aci.issue_text.issue_mentions import find_mentions
from benchmarks import fit_localization
from benchmarks._listwise import fit
from benchmarks._signals import Table, instance_tables
from benchmarks.localization import load, main, masked, share_within, worst_rank
from tests.conftest import MakeRepo, git
from trajectories.errors import UsageError
from trajectories.records import Issue

FILES = {
    "shop/door.py": "class Door:\n    def close(self):\n        raise DoorError('stuck in its frame')\n\n"
    "    @property\n    def width(self):\n        return self._width\n\n"
    "    @width.setter\n    def width(self, width):\n        self._width = width\n",
    "shop/stock.py": "def count(items):\n    return len(items)\n",
    "shop/mail.py": "def send(letter):\n    return letter\n",
    "tests/test_door.py": "def test_door_close():\n    pass\n",
}


@pytest.fixture
def given(make_repo: MakeRepo, tmp_path: Path) -> dict[str, Any]:
    """Two instances of one repository, and one whose commit is not there."""
    repo = make_repo(FILES)
    place = tmp_path / "repos" / "a+shop"
    place.mkdir(parents=True)
    (repo / ".git").rename(place / "repo")
    commit = git(place / "repo", "rev-parse", "HEAD")
    another = git(place / "repo", "commit-tree", "HEAD^{tree}", "-m", "Another")
    rows = [
        {"instance_id": "door", "repo": "x/shop", "mirror": "a/shop", "base_commit": commit,
         "problem_statement": "Door.close raises\nIt is stuck in its frame"},
        {"instance_id": "count", "repo": "a/shop", "base_commit": another,
         "problem_statement": "count of items is wrong"},
        {"instance_id": "gone", "repo": "a/shop", "base_commit": "0" * 40, "problem_statement": "nothing"},
    ]  # fmt: skip
    gold = [
        {"instance_id": "door", "files": ["shop/door.py"], "functions": ["shop/door.py:Door.close"]},
        {"instance_id": "count", "files": ["shop/stock.py", "shop/mail.py"], "functions": [], "function_scored": False},
        {"instance_id": "gone", "files": ["shop/mail.py"], "functions": []},
    ]
    for name, content in (("issues", rows), ("gold", gold)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in content))
    return {"instances": tmp_path / "issues.jsonl", "gold": tmp_path / "gold.jsonl", "repos": tmp_path / "repos"}


def flags(given: dict[str, Any]) -> list[str]:
    return [part for name, path in given.items() for part in (f"--{name}", str(path))]


def test_scores_of_a_small_repository(
    given: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*flags(given), "--json", str(tmp_path / "out.json"), "--by-repository"]) == 0
    summary = json.loads((tmp_path / "out.json").read_text())
    assert summary["n"] == 2
    assert summary["files"]["acc@1"] == 50.0  # two gold files cannot both be first
    assert summary["functions"] == {"acc@5": 100.0, "acc@10": 100.0}
    assert summary["single"]["files"]["acc@1"] == 100.0
    assert set(summary["bm25"]) == {"files", "functions"}
    assert all(summary["seconds"][kind] >= 0 for kind in ("cold", "new_commit", "warm"))
    assert set(summary["missing"]) == {"gone"}
    assert "not scored: gone" in capsys.readouterr().out


def test_a_limit(given: dict[str, Any]) -> None:
    assert [one.id for one in load(**given, limit=1)] == ["door"]


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("instances", "", "is empty"),
        ("instances", "{", "Line 1 of"),
        ("instances", "[1]\n", "Line 1 of"),
        ("instances", '{"instance_id": "door"}\n', "has no repo"),
        ("gold", '{"instance_id": "other", "files": [], "functions": []}\n', "no entry for door"),
    ],
)
def test_bad_files_are_named(given: dict[str, Any], file: str, content: str, message: str) -> None:
    given[file].write_text(content)
    with pytest.raises(UsageError, match=message):
        load(**given)


def test_unknown_places_are_named(given: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(flags({**given, "repos": tmp_path})) == 2
    assert "a+shop" in capsys.readouterr().err
    assert main(flags({**given, "instances": tmp_path / "no.jsonl"})) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_all_places_have_to_be_found() -> None:
    assert worst_rank(["a", "b", "c"], ["c", "a"]) == 3
    assert worst_rank(["a", "b", "a"], ["a"]) == 1
    assert worst_rank(["a"], ["a", "z"]) == 0
    assert worst_rank(["a"], []) == 0
    assert share_within([1, 0, 3, 6], 3) == 50.0
    assert share_within([], 1) == 0.0


@pytest.mark.slow
def test_what_a_cache_knows_is_not_cold(given: dict[str, Any], tmp_path: Path) -> None:
    for measured in ({"cold", "new_commit", "warm"}, {"warm"}):
        more = ["--json", str(tmp_path / "out.json"), "--cache", str(tmp_path / "cache")]
        assert main([*flags(given), *more]) == 0
        seconds = json.loads((tmp_path / "out.json").read_text())["seconds"]
        assert {kind for kind, middle in seconds.items() if middle is not None} == measured


def test_a_file_that_cannot_be_written_is_named_before_the_run(
    given: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*flags(given), "--json", str(tmp_path / "nowhere" / "out.json")]) == 2
    said = capsys.readouterr().err
    assert "out.json cannot be written" in said
    assert "door" not in said


def test_masking_leaves_words(given: dict[str, Any]) -> None:
    body = "see https://github.com/a/b/blob/x/c.py#L3, fixed in 0a1b2c3d4e, #12 and ticket 123; deadbeef stays"
    (instance,) = load(**given, limit=1)
    issue = masked(replace(instance, issue=Issue("Price #12", body))).issue
    found = find_mentions(issue)
    assert (found.links, found.shas, found.numbers) == ((), (), ())
    assert "deadbeef" in issue.body
    assert issue.title.strip() == "Price"


def test_the_fit_finds_the_signal_that_tells() -> None:
    random = np.random.default_rng(1)
    lists = []
    for _ in range(60):
        values, gold = random.random((20, 3)), np.zeros(20, bool)
        gold[values[:, 1].argmax()] = True
        lists.append((values, gold))
    weights = fit(lists, 1.0)
    assert weights[1] > 5 * max(abs(weights[0]), abs(weights[2]))
    assert abs(fit(lists, 1000.0)).max() < 0.2
    nothing = [(np.ones((4, 3)), np.zeros(4, bool))]
    assert np.allclose(fit(lists + nothing, 1.0), weights)


def test_places_of_several_candidates_count_once() -> None:
    def table(names: list[str], gold: str) -> Table:
        places = np.array([sorted(set(names)).index(name) for name in names])
        return Table(("text",), np.zeros((len(names), 1)), np.array([name == gold for name in names]), True, places)

    scores = np.arange(4, 0, -1.0)
    assert fit_localization.worst(scores, table(["a", "a", "b", "b"], "b")) == 2
    assert fit_localization.worst(scores, table(["a", "b", "a", "c"], "a")) == 1
    assert fit_localization.worst(scores, table(["a", "b", "b", "c"], "c")) == 3
    assert fit_localization.worst(scores, table(["a", "b", "b", "c"], "d")) == 0


def test_overloads_are_one_place(given: dict[str, Any], tmp_path: Path) -> None:
    (instance, *_) = load(**given, limit=1)
    one = instance_tables(instance, tmp_path / "cache", tmp_path / "signals")
    assert one.functions.places.tolist() == [0, 1, 1]  # Door.close, and Door.width that is got and set
    assert len(set(one.files.places)) == len(one.files.places)


def test_signals_of_another_version_are_refused(given: dict[str, Any], tmp_path: Path) -> None:
    (instance, *_) = load(**given, limit=1)
    kept = tmp_path / "signals" / "door.npz"
    instance_tables(instance, tmp_path / "cache", kept.parent)
    with np.load(kept) as found:
        columns = {name: found[name] for name in found if name != "files_places"}
    np.savez_compressed(kept, allow_pickle=False, **columns)
    with pytest.raises(UsageError, match="another version"):
        instance_tables(instance, tmp_path / "cache", kept.parent)


def test_signals_are_kept_fitted_and_written(
    given: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given["instances"].write_text("\n".join(given["instances"].read_text().splitlines()[:2]))
    rows = [json.loads(line) for line in given["instances"].read_text().splitlines()]
    rows[1]["repo"], rows[1]["mirror"] = "another/shop", "a/shop"
    given["instances"].write_text("".join(json.dumps(row) + "\n" for row in rows))
    written = tmp_path / "weights.json"
    monkeypatch.setattr(fit_localization, "WEIGHTS", written)
    more = ["--cache", str(tmp_path / "cache"), "--signals", str(tmp_path / "signals"), "--write"]
    for _ in range(2):
        assert fit_localization.main([*flags(given), *more]) == 0
    assert sorted(path.name for path in (tmp_path / "signals").iterdir()) == ["count.npz", "door.npz"]
    found = json.loads(written.read_text())
    assert tuple(found["files"]) == fit_localization.FILES
    assert tuple(found["functions"]) == fit_localization.FUNCTIONS
    assert "another/shop (1)" in capsys.readouterr().out
