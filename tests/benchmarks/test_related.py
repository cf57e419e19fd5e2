"""The benchmark of `locate --patch`, on a small repository."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.related import Query, fit, main, rank
from extensions.code_search.edit_signals import SIBLING, TEXT, TOGETHER
from tests.conftest import MakeRepo, git

FILES = {
    "shop/till.py": "from shop.money import add_pennies\n\n\ndef close(day):\n    return add_pennies(day)\n",
    "shop/money.py": "def add_pennies(day):\n    return sum(day)\n",
    "shop/mail.py": "def send(letter):\n    return letter\n",
}


def make_query(id: str, **features: dict[str, float]) -> Query:
    return Query(id, "a.py", frozenset({"b"}), frozenset(), features)


def test_given_file_is_left_out_and_weights_without_gain_are_kept() -> None:
    query = make_query("i", b={TEXT: 1.0}, c={SIBLING: 0.9}, d={TOGETHER: 0.0})
    query.features["a.py"] = {TEXT: 1.0}
    assert rank(query, {TEXT: 0.5, SIBLING: 0.9}) == (["c", "b"], [])
    chosen = fit([query])
    assert rank(query, chosen)[0][0] == "b"
    assert fit([make_query("i", b={TEXT: 1.0})])[SIBLING] == fit([])[SIBLING]


@pytest.mark.slow
def test_small_repository_is_scored(make_repo: MakeRepo, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repo = make_repo(FILES)
    base = git(repo, "rev-parse", "HEAD").strip()
    (repo / "shop/till.py").write_text(FILES["shop/till.py"].replace("day)", "day, 2)"))
    (repo / "shop/money.py").write_text(FILES["shop/money.py"].replace("day)", "day, places)"))
    patch = git(repo, "diff") + "\n"
    (tmp_path / "repos/a+shop").mkdir(parents=True)
    (repo / ".git").rename(tmp_path / "repos/a+shop/repo")
    ids = [f"i{n}" for n in range(2)]
    rows = [{"instance_id": id, "repo": "a/shop", "base_commit": base, "problem_statement": "Round"} for id in ids]
    functions = ["shop/till.py:close", "shop/money.py:add_pennies"]
    gold = [{"instance_id": id, "files": ["shop/till.py", "shop/money.py"], "functions": functions} for id in ids]
    patches = [{"instance_id": id, "patch": patch} for id in ids]
    for name, content in (("issues", rows), ("gold", gold), ("patches", patches)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in content))
    flags = [
        *("--instances", tmp_path / "issues.jsonl", "--gold", tmp_path / "gold.jsonl"),
        *("--patches", tmp_path / "patches.jsonl", "--json", tmp_path / "out.json"),
    ]
    assert main([*map(str, flags), "--repos", str(tmp_path / "repos")]) == 0
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["n"] + found["chosen_on"] == 4
    for part in ("methods", "chosen"):
        if found[part]["locate"]["files"]["n"]:
            assert found[part]["locate"]["files"]["all@1"] == 100.0
            assert found[part]["locate"]["functions"]["all@1"] == 100.0
            assert found[part]["co-change"]["files"]["all@1"] == 0.0
    assert "locate" in capsys.readouterr().out
    assert main([*map(str, flags), "--repos", str(tmp_path)]) == 2
