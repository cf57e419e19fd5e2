"""The benchmark of localization on a small real repository, bad input, and the fit of the weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aci import localization
from aci.issue_text.issue_mentions import find_mentions
from aci.localization.explicit_mentions import SECOND_PASS
from aci.localization.signals import fitted_weights
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
def inputs(make_repo: MakeRepo, tmp_path: Path) -> dict[str, Any]:
    """Two instances of one repository, and one whose commit is missing."""
    repo = make_repo(FILES)
    mirror = tmp_path / "repos" / "a+shop"
    mirror.mkdir(parents=True)
    (repo / ".git").rename(mirror / "repo")
    commit = git(mirror / "repo", "rev-parse", "HEAD")
    another = git(mirror / "repo", "commit-tree", "HEAD^{tree}", "-m", "Another")
    rows = [
        {"instance_id": "door", "repo": "x/shop", "mirror": "a/shop", "base_commit": commit,
         "problem_statement": "Door.close raises\nIt is stuck in its frame"},
        {"instance_id": "count", "repo": "a/shop", "base_commit": another,
         "problem_statement": "count of items is wrong"},
        {"instance_id": "gone", "repo": "a/shop", "base_commit": "0" * 40, "problem_statement": "nothing"},
    ]  # fmt: skip
    gold = [
        {"instance_id": "door", "files": ["shop/door.py"], "functions": ["shop/door.py:Door.close"],
         "classes": ["shop/door.py:Door"]},
        {"instance_id": "count", "files": ["shop/stock.py", "shop/mail.py"], "functions": [], "function_scored": False},
        {"instance_id": "gone", "files": ["shop/mail.py"], "functions": []},
    ]  # fmt: skip
    for name, content in (("issues", rows), ("gold", gold)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in content))
    return {"instances": tmp_path / "issues.jsonl", "gold": tmp_path / "gold.jsonl", "repos": tmp_path / "repos"}


def flags(inputs: dict[str, Any]) -> list[str]:
    return [part for name, path in inputs.items() for part in (f"--{name}", str(path))]


def test_small_repository_is_scored(inputs: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*flags(inputs), "--json", str(tmp_path / "out.json"), "--by-repository"]) == 0
    summary = json.loads((tmp_path / "out.json").read_text())
    assert summary["n"] == 2
    assert summary["files"]["acc@1"] == 50.0  # two gold files cannot both be first
    assert summary["functions"] == {"acc@5": 100.0, "acc@10": 100.0}
    assert summary["single"]["files"]["acc@1"] == 100.0
    assert summary["classes"] == {"n": 1, "acc@1": 100.0, "acc@3": 100.0, "acc@5": 100.0}
    assert set(summary["bm25"]) == {"files", "functions"}
    assert all(summary["seconds"][kind] >= 0 for kind in ("cold", "new_commit", "warm"))
    assert set(summary["missing"]) == {"gone"}
    output = capsys.readouterr().out
    assert "classes of 1 @1/@3/@5: 100.0/100.0/100.0" in output
    assert "not scored: gone" in output


def test_limit_restricts_instances(inputs: dict[str, Any]) -> None:
    assert [instance.id for instance in load(**inputs, limit=1)] == ["door"]


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
def test_bad_input_file_is_reported(inputs: dict[str, Any], file: str, content: str, message: str) -> None:
    inputs[file].write_text(content)
    with pytest.raises(UsageError, match=message):
        load(**inputs)


def test_missing_folder_or_file_is_reported(
    inputs: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(flags({**inputs, "repos": tmp_path})) == 2
    assert "a+shop" in capsys.readouterr().err
    assert main(flags({**inputs, "instances": tmp_path / "no.jsonl"})) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_worst_rank_needs_all_places() -> None:
    assert worst_rank(["a", "b", "c"], ["c", "a"]) == 3
    assert worst_rank(["a", "b", "a"], ["a"]) == 1
    assert worst_rank(["a"], ["a", "z"]) == 0
    assert worst_rank(["a"], []) == 0
    assert share_within([1, 0, 3, 6], 3) == 50.0
    assert share_within([], 1) == 0.0


@pytest.mark.slow
def test_warm_cache_is_not_measured_as_cold(inputs: dict[str, Any], tmp_path: Path) -> None:
    for kinds in ({"cold", "new_commit", "warm"}, {"warm"}):
        options = ["--json", str(tmp_path / "out.json"), "--cache", str(tmp_path / "cache")]
        assert main([*flags(inputs), *options]) == 0
        seconds = json.loads((tmp_path / "out.json").read_text())["seconds"]
        assert {kind for kind, median in seconds.items() if median is not None} == kinds


def test_unwritable_output_file_is_reported_before_run(
    inputs: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*flags(inputs), "--json", str(tmp_path / "nowhere" / "out.json")]) == 2
    errors = capsys.readouterr().err
    assert "out.json cannot be written" in errors
    assert "door" not in errors


def test_masking_removes_links_and_numbers_only(inputs: dict[str, Any]) -> None:
    body = "see https://github.com/a/b/blob/x/c.py#L3, fixed in 0a1b2c3d4e, #12 and ticket 123; deadbeef stays"
    (instance,) = load(**inputs, limit=1)
    issue = masked(replace(instance, issue=Issue("Price #12", body))).issue
    mentions = find_mentions(issue)
    assert (mentions.links, mentions.shas, mentions.numbers) == ((), (), ())
    assert "deadbeef" in issue.body
    assert issue.title.strip() == "Price"


def test_fit_finds_informative_signal() -> None:
    random = np.random.default_rng(1)
    lists = []
    for _ in range(60):
        features, gold = random.random((20, 3)), np.zeros(20, bool)
        gold[features[:, 1].argmax()] = True
        lists.append((features, gold))
    weights = fit(lists, 1.0)
    assert weights[1] > 5 * max(abs(weights[0]), abs(weights[2]))
    assert abs(fit(lists, 1000.0)).max() < 0.2
    without_gold = [(np.ones((4, 3)), np.zeros(4, bool))]
    assert np.allclose(fit(lists + without_gold, 1.0), weights)


def test_candidates_of_same_place_count_once() -> None:
    def table(names: list[str], gold: str) -> Table:
        places = np.array([sorted(set(names)).index(name) for name in names])
        return Table(("text",), np.zeros((len(names), 1)), np.array([name == gold for name in names]), True, places)

    scores = np.arange(4, 0, -1.0)
    assert fit_localization.worst(scores, table(["a", "a", "b", "b"], "b")) == 2
    assert fit_localization.worst(scores, table(["a", "b", "a", "c"], "a")) == 1
    assert fit_localization.worst(scores, table(["a", "b", "b", "c"], "c")) == 3
    assert fit_localization.worst(scores, table(["a", "b", "b", "c"], "d")) == 0


def test_overloads_are_one_place(inputs: dict[str, Any], tmp_path: Path) -> None:
    (instance, *_) = load(**inputs, limit=1)
    signals = instance_tables(instance, tmp_path / "cache", tmp_path / "signals")
    assert signals.functions.places.tolist() == [0, 1, 1]  # Door.close, and the getter and setter of Door.width
    assert len(set(signals.files.places)) == len(signals.files.places)


def test_new_signal_is_fitted_without_an_entry_in_weights_file(inputs: dict[str, Any], tmp_path: Path) -> None:
    (instance, *_) = load(**inputs, limit=1)
    table = instance_tables(instance, tmp_path / "cache", tmp_path / "signals").files
    assert "ran" in table.signals
    names = fit_localization.signals_to_fit([table._replace(signals=(*table.signals, "new signal"))], "files")
    known = tuple(name for name in fitted_weights("files") if name in table.signals)
    assert (names[: len(known)], names[-3:]) == (known, ("new signal", *SECOND_PASS))
    assert "ran" not in names


def test_signals_of_another_version_are_refused(inputs: dict[str, Any], tmp_path: Path) -> None:
    (instance, *_) = load(**inputs, limit=1)
    signals_file = tmp_path / "signals" / "door.npz"
    instance_tables(instance, tmp_path / "cache", signals_file.parent)
    with np.load(signals_file) as saved:
        columns = {name: saved[name] for name in saved if name != "files_places"}
    np.savez_compressed(signals_file, allow_pickle=False, **columns)
    with pytest.raises(UsageError, match="another version"):
        instance_tables(instance, tmp_path / "cache", signals_file.parent)


def test_signals_are_cached_and_weights_written(
    inputs: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs["instances"].write_text("\n".join(inputs["instances"].read_text().splitlines()[:2]))
    rows = [json.loads(line) for line in inputs["instances"].read_text().splitlines()]
    rows[1]["repo"], rows[1]["mirror"] = "another/shop", "a/shop"
    inputs["instances"].write_text("".join(json.dumps(row) + "\n" for row in rows))
    weights_file = tmp_path / "weights.json"
    monkeypatch.setattr(fit_localization, "WEIGHTS", weights_file)
    options = ["--cache", str(tmp_path / "cache"), "--signals", str(tmp_path / "signals"), "--write"]
    for _ in range(2):
        assert fit_localization.main([*flags(inputs), *options]) == 0
    assert sorted(path.name for path in (tmp_path / "signals").iterdir()) == ["count.npz", "door.npz"]
    weights = json.loads(weights_file.read_text())
    fitted = json.loads((Path(localization.__file__).parent / "weights.json").read_text())
    assert {kind: list(weights[kind])[: len(fitted[kind])] for kind in weights} == {k: list(fitted[k]) for k in fitted}
    assert "another/shop (1)" in capsys.readouterr().out
