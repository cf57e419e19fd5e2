"""The benchmark of a second ranking beside `locate`, on a small repository."""

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


def located_instance(id: str, located: str, routes: str, gold: str) -> Found:
    names = frozenset(gold.split())
    instance = Instance(id, "a/b", Path(), "", Issue("", ""), names, names)
    return Found(instance, Ranked(located.split(), located.split()), Ranked(routes.split(), routes.split()))


def test_fused_ranks_combine_both_lists() -> None:
    instance = located_instance("x", "a b c", "c d", "c")
    assert fused(0.1)(instance).files == ["c", "a", "b", "d"]
    assert fused(0.01)(instance).files == ["a", "b", "c", "d"]
    assert either(located_instance("x", "a b c d e f", "g", "f g")).files == ["g"]
    assert further(located_instance("x", "a b c d e f", "g", "f g")).files == ["f"]
    assert hits([located_instance("x", "a b c d e f", "g", "e g")], either) == {"files@5": 100.0, "functions@10": 100.0}
    assert hits([located_instance("x", "a b c d e f", "g", "f g")], either) == {"files@5": 0.0, "functions@10": 100.0}


def test_share_is_chosen_on_one_part_and_reported_for_other() -> None:
    instances = [located_instance(f"i{n}", "a b c d e f", "f", "f") for n in range(20)]
    result = report(instances)
    assert result["n"] + result["chosen_on"] == 20
    assert result["n"] == sum(not instance.is_for_choosing for instance in instances) > 0
    assert (result["locate"]["files@5"], result["routes"]["files@5"], result["fused"]["files@5"]) == (0.0, 100.0, 100.0)
    assert result["share"] == 0.1


@pytest.mark.slow
def test_small_repository_is_scored(make_repo: MakeRepo, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repo = make_repo(FILES)
    base = commit(repo, "Round pennies", {"shop/till.py": "def close(day):\n    return round(sum(day), 2)\n"})
    later_commit = commit(
        repo, "Letters lose pennies: rounded", {"shop/mail.py": "def send(letter):\n    return letter + 1\n"}
    )
    (tmp_path / "repos/a+shop").mkdir(parents=True)
    (repo / ".git").rename(tmp_path / "repos/a+shop/repo")
    assert git(tmp_path / "repos/a+shop/repo", "rev-parse", "main") == later_commit
    ids = [f"i{n}" for n in range(12)] + ["gone"]
    rows = [
        {"instance_id": id, "repo": "a/shop", "base_commit": base if id != "gone" else "0" * 40,
         "problem_statement": "Pennies are lost\nThey are to be rounded."} for id in ids
    ]  # fmt: skip
    gold = [{"instance_id": id, "files": ["shop/till.py"], "functions": ["shop/till.py:close"]} for id in ids]
    for name, content in (("issues", rows), ("gold", gold)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in content))
    flags = ["--instances", tmp_path / "issues.jsonl", "--gold", tmp_path / "gold.jsonl", "--repos", tmp_path / "repos"]
    assert main([*map(str, flags), "--second", "commits,search", "--json", str(tmp_path / "out.json")]) == 0
    summary = json.loads((tmp_path / "out.json").read_text())
    assert summary["commits"]["n"] + summary["commits"]["chosen_on"] == 12
    for name in ("commits", "search"):
        assert summary[name][name] == {"files@5": 100.0, "functions@10": 100.0}
    assert summary["search"]["cost"]["search visited"] == 2
    output = capsys.readouterr()
    assert "not scored: gone" in output.err
    assert "either" in output.out
    assert main([*map(str, flags), "--json", str(tmp_path / "out.json")]) == 0
    assert json.loads((tmp_path / "out.json").read_text())["routes"]["routes"]["files@5"] == 100.0
    with pytest.raises(SystemExit):
        main([*map(str, flags), "--second", "guesses"])
    assert main([*map(str, flags[:4]), "--repos", str(tmp_path)]) == 2
