"""What ways over commits add to `locate`, counted on a small repository, and how both are put together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.localization import Instance
from benchmarks.routes import Found, Ranked, either, further, fused, hits, main, report
from tests.aci.history.test_commit_search import commit
from tests.conftest import MakeRepo, git
from trajectories.records import Issue

FILES = {
    "shop/till.py": "def close(day):\n    return sum(day)\n",
    "shop/mail.py": "def send(letter):\n    return letter\n",
}


def found(id: str, located: str, routes: str, gold: str) -> Found:
    names = frozenset(gold.split())
    instance = Instance(id, "a/b", Path(), "", Issue("", ""), names, names)
    return Found(instance, Ranked(located.split(), located.split()), Ranked(routes.split(), routes.split()))


def test_places_of_both_are_put_in_one_order() -> None:
    one = found("x", "a b c", "c d", "c")
    assert fused(0.1)(one).files == ["c", "a", "b", "d"]
    assert fused(0.01)(one).files == ["a", "b", "c", "d"]
    assert either(found("x", "a b c d e f", "g", "f g")).files == ["g"]
    assert further(found("x", "a b c d e f", "g", "f g")).files == ["f"]
    assert hits([found("x", "a b c d e f", "g", "e g")], either) == {"files@5": 100.0, "functions@10": 100.0}
    assert hits([found("x", "a b c d e f", "g", "f g")], either) == {"files@5": 0.0, "functions@10": 100.0}


def test_share_is_chosen_on_one_half_and_told_of_other() -> None:
    all = [found(f"i{n}", "a b c d e f", "f", "f") for n in range(20)]
    said = report(all)
    assert said["n"] + said["chosen_on"] == 20
    assert said["n"] == sum(not one.is_for_choosing for one in all) > 0
    assert (said["locate"]["files@5"], said["routes"]["files@5"], said["fused"]["files@5"]) == (0.0, 100.0, 100.0)
    assert said["share"] == 0.1


def test_small_repository(make_repo: MakeRepo, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repo = make_repo(FILES)
    base = commit(repo, "Round pennies", {"shop/till.py": "def close(day):\n    return round(sum(day), 2)\n"})
    later = commit(
        repo, "Letters lose pennies: rounded", {"shop/mail.py": "def send(letter):\n    return letter + 1\n"}
    )
    (tmp_path / "repos/a+shop").mkdir(parents=True)
    (repo / ".git").rename(tmp_path / "repos/a+shop/repo")
    assert git(tmp_path / "repos/a+shop/repo", "rev-parse", "main") == later
    ids = [f"i{n}" for n in range(12)] + ["gone"]
    rows = [
        {"instance_id": id, "repo": "a/shop", "base_commit": base if id != "gone" else "0" * 40,
         "problem_statement": "Pennies are lost\nThey are to be rounded."} for id in ids
    ]  # fmt: skip
    gold = [{"instance_id": id, "files": ["shop/till.py"], "functions": ["shop/till.py:close"]} for id in ids]
    for name, content in (("issues", rows), ("gold", gold)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in content))
    flags = ["--instances", tmp_path / "issues.jsonl", "--gold", tmp_path / "gold.jsonl", "--repos", tmp_path / "repos"]
    assert main([*map(str, flags), "--json", str(tmp_path / "out.json")]) == 0
    said = json.loads((tmp_path / "out.json").read_text())
    assert said["n"] + said["chosen_on"] == 12
    assert said["routes"] == {"files@5": 100.0, "functions@10": 100.0}
    told = capsys.readouterr()
    assert "not scored: gone" in told.err
    assert "either" in told.out
    assert main([*map(str, flags[:4]), "--repos", str(tmp_path)]) == 2
