"""Mutants are other programs and the same each time; originals are known again; a fit finds the weights there were."""

from __future__ import annotations

import ast
import json
import random
import subprocess
from itertools import islice
from pathlib import Path

import pytest

from agent.repair.analysis.source_file import Draft, Source
from agent.repair.candidate_order import templates
from agent.repair.candidates.template_weights import parse_weights
from benchmarks import _mutants_observed, _mutants_unrun, fit_templates
from benchmarks import _mutating_expressions as expressions
from benchmarks import _mutating_statements as statements
from benchmarks._mutated_code import Code
from benchmarks._mutating import SHARES, mutants
from benchmarks._observing_mutants import Package
from benchmarks._template_fit import Model
from benchmarks._template_streams import Case, Same, Stream

SAMPLE = b"""\
LEVELS = ("low", "high")


def load(path, default=None, *, strict=True, limit=10):
    seen, found = set(), []
    total = 0
    for number, line in enumerate(read(path, limit), start=1):
        if not line or line in seen:
            continue
        if strict and number > limit - 1:
            raise ValueError("too long", number)
        try:
            value = float(line.strip())
        except (ValueError, TypeError):
            value = -total
            break
        except KeyError:
            return default
        seen.add(line)
        if value is None:
            found.append({"line": line, "number": number})
        elif path.name == "x" or strict is True:
            total += value * 2
        else:
            found = found[1:]
        total = max(total, found[total + 1].size - 1)
    if default:
        return [total, len(found)]
    return join(found, total, sep=2)
"""


@pytest.mark.slow
def test_mutants_are_other_programs_each_once_and_same_each_time() -> None:
    made = list(islice(mutants("a.py", SAMPLE, "seed"), 100))
    assert len({one.data for one in made}) == len(made) == 100
    assert made == list(islice(mutants("a.py", SAMPLE, "seed"), 100))
    assert made != list(islice(mutants("a.py", SAMPLE, "another"), 100))
    for one in made:
        assert ast.dump(ast.parse(one.data)) != ast.dump(ast.parse(SAMPLE))
        assert one.qualname == "load"


def test_all_operators_find_something_to_do() -> None:
    source = Source("a.py", SAMPLE)
    code = Code(source, source.functions[0][1])
    assert len(SHARES) == len(expressions.PATTERNS) + len(expressions.OTHERS) + len(statements.SHARES)
    for operator in SHARES:
        assert list(operator(code)), operator.__name__


def test_functions_of_few_statements_are_left_alone() -> None:
    assert list(mutants("a.py", b"def f(a):\n    b = a + 1\n    return b\n", "seed")) == []


@pytest.mark.parametrize(
    ("mutated", "edit", "same"),
    [
        (b"x = a - b\n", (6, 7, "+"), True),
        (b"x = a - b\n", (4, 9, "(a + b)"), True),
        (b"x = a - b\n", (4, 9, "b + a"), False),
        (b"x = a + b\nx = 1\n", (10, 15, "pass"), True),
        (b"x = a - b\n", (6, 7, "*"), False),
    ],
)
def test_original_is_known_again_but_for_layout(mutated: bytes, edit: tuple[int, int, str], same: bool) -> None:
    assert Same(b"x = a + b\n", mutated).is_original(Draft("", (edit,))) is same


def test_needless_pass_makes_no_difference() -> None:
    original, mutated = b"def f():\n    go()\n", b"def f():\n    stop()\n    go()\n"
    assert Same(original, mutated).is_original(Draft("", ((13, 19, "pass"),)))


def test_fit_finds_weights_that_originals_were_drawn_by() -> None:
    chance = random.Random(1)
    weights, halves = {"often": 1.0, "far": 0.3, "seldom": 0.05}, {"often": 2.0, "far": 20.0, "seldom": 6.0}
    cases = []
    for _ in range(200):
        rows = [(name, "If" if at % 2 else "Return", 1 / (1 + at)) for at in range(8) for name in weights]
        worth = [score * weights[name] * (3 if (name, kind) == ("far", "If") else 1) for name, kind, score in rows]
        (hit,) = chance.choices(range(len(rows)), worth)
        half = halves[rows[hit][0]]
        (place,) = chance.choices(range(400), [1 / ((half + n) * (half + n + 1)) for n in range(400)])
        streams = [
            Stream(name, kind, "seen", score, 400, 1.0, ((float(place), 1.0),) if at == hit else ())
            for at, (name, kind, score) in enumerate(rows)
        ]
        cases.append(Case("package", "operator", "value", tuple(streams)))
    told: list[str] = []
    found = Model(cases).fit(told.append)
    assert told
    by_weight = sorted(found.templates, key=lambda name: -found.templates[name].weight)
    assert by_weight == ["often", "far", "seldom"]
    assert found.templates["often"].half < found.templates["far"].half
    assert found.templates["far"].of("If", "value") > 1.5 * found.templates["far"].of("Return", "value")
    assert 0.7 <= found.place <= 1.3


CODE = """\
def total(numbers, start=0, most=None):
    found = start
    for number in numbers:
        if most is not None and number > most:
            continue
        found += number
    return found


def joined(words, between=", ", upper=False):
    kept = [word.strip() for word in words if word]
    if not kept:
        return ""
    text = between.join(kept)
    return text.upper() if upper else text
"""
TESTS = """\
from tiny import joined, total


def test_total():
    assert total([1, 2, 3]) == 6
    assert total([1, 20], 5, most=10) == 6
    assert total([10, 11], most=10) == 10


def test_joined():
    assert joined(["a ", "", "b"]) == "a, b"
    assert joined([]) == ""
    assert joined(["a", "b"], "-", True) == "A-B"
"""


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Package]:
    """Two packages of the same code, fetched."""
    found = []
    for name in ("tiny", "other"):
        repo = tmp_path / f"somebody+{name}" / "repo"
        (repo / "tests").mkdir(parents=True)
        (repo / "tiny.py").write_text(CODE)
        (repo / "tests" / "test_tiny.py").write_text(TESTS)
        person = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        for words in (["init", "-q"], ["add", "-A"], [*person, "commit", "-q", "-m", name]):
            subprocess.run(["git", "-C", repo, *words], check=True, capture_output=True)
        told = subprocess.run(["git", "-C", repo, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
        found.append(Package(f"somebody/{name}", told.stdout.strip(), "tiny.py", "tests"))
    monkeypatch.setattr(_mutants_observed, "PACKAGES", tuple(found))
    monkeypatch.setattr(_mutants_unrun, "PACKAGES", tuple(found))
    monkeypatch.setattr(_mutants_unrun, "UNRUN", ())
    return found


@pytest.mark.slow
def test_weights_are_fitted_from_watched_mutants_and_compared_on_package_held_out(
    tmp_path: Path, packages: list[Package], capsys: pytest.CaptureFixture[str]
) -> None:
    cache, weights, ranks = (str(tmp_path / name) for name in ("cache", "weights.json", "ranks.json"))
    words = ["--repos", str(tmp_path), "--cache", cache, "--mutants", "6", "--unrun", "6", "--limit", "1"]
    assert fit_templates.main([*words, "--held-out", "other", "--out", weights, "--json", ranks]) == 0
    told = capsys.readouterr().out
    assert "new weights" in told
    assert {file.name for file in Path(cache).iterdir()} == {f"{one.name}.jsonl.gz" for one in packages}
    fitted = parse_weights(Path(weights).read_text())
    assert set(fitted.templates) == set(templates())
    assert all(0 < one.weight <= 1 for one in fitted.templates.values())
    (row,) = json.loads(Path(ranks).read_text())
    assert row["package"] == "other"
    assert row["before"] >= 1 <= row["after"]


@pytest.mark.slow
def test_nothing_to_fit_on_is_told_of(
    tmp_path: Path, packages: list[Package], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--repos", str(tmp_path), "--cache", str(tmp_path / "cache"), "--mutants", "1", "--unrun", "0"]
    assert fit_templates.main([*words, "--packages", "other", "--held-out", "other"]) == 2
    assert "No template reaches any of 0 mutants" in capsys.readouterr().err
