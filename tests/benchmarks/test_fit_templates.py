"""Fitting of template weights: mutants, recognition of originals, and the fit."""

from __future__ import annotations

import ast
import json
import random
import subprocess
from itertools import islice
from pathlib import Path

import pytest

from benchmarks import _mutants_observed, _mutants_unrun, fit_templates
from benchmarks._mutating import SHARES, mutants
from benchmarks._observing_mutants import Package
from benchmarks._template_fit import Model
from benchmarks._template_streams import Case, Same, Stream
from extensions.experiment.source.source_file import Draft, Source
from extensions.lab.synthesis.operators import expression_changes as expressions
from extensions.lab.synthesis.operators import statement_changes as statements
from extensions.lab.synthesis.operators.function_code import Code
from extensions.repair.candidate_order import templates
from extensions.repair.candidates.template_weights import parse_weights

SAMPLE_SOURCE = b"""\
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
def test_mutants_are_distinct_and_reproducible() -> None:
    generated = list(islice(mutants("a.py", SAMPLE_SOURCE, "seed"), 100))
    assert len({mutant.data for mutant in generated}) == len(generated) == 100
    assert generated == list(islice(mutants("a.py", SAMPLE_SOURCE, "seed"), 100))
    assert generated != list(islice(mutants("a.py", SAMPLE_SOURCE, "another"), 100))
    for mutant in generated:
        assert ast.dump(ast.parse(mutant.data)) != ast.dump(ast.parse(SAMPLE_SOURCE))
        assert mutant.qualname == "load"


def test_each_operator_applies_to_sample() -> None:
    source = Source("a.py", SAMPLE_SOURCE)
    code = Code(source, source.functions[0][1])
    assert len(SHARES) == len(expressions.PATTERNS) + len(expressions.OTHERS) + len(statements.SHARES)
    for operator in SHARES:
        assert list(operator(code)), operator.__name__


def test_short_functions_are_not_mutated() -> None:
    assert list(mutants("a.py", b"def f(a):\n    b = a + 1\n    return b\n", "seed")) == []


@pytest.mark.parametrize(
    ("mutated", "edit", "is_same"),
    [
        (b"x = a - b\n", (6, 7, "+"), True),
        (b"x = a - b\n", (4, 9, "(a + b)"), True),
        (b"x = a - b\n", (4, 9, "b + a"), False),
        (b"x = a + b\nx = 1\n", (10, 15, "pass"), True),
        (b"x = a - b\n", (6, 7, "*"), False),
    ],
)
def test_original_is_recognized_despite_layout(mutated: bytes, edit: tuple[int, int, str], is_same: bool) -> None:
    assert Same(b"x = a + b\n", mutated).is_original(Draft("", (edit,))) is is_same


def test_redundant_pass_is_ignored() -> None:
    original, mutated = b"def f():\n    go()\n", b"def f():\n    stop()\n    go()\n"
    assert Same(original, mutated).is_original(Draft("", ((13, 19, "pass"),)))


def test_fit_recovers_weights_used_to_draw_originals() -> None:
    rng = random.Random(1)
    weights, halves = {"often": 1.0, "far": 0.3, "seldom": 0.05}, {"often": 2.0, "far": 20.0, "seldom": 6.0}
    cases = []
    for _ in range(200):
        rows = [(name, "If" if at % 2 else "Return", 1 / (1 + at)) for at in range(8) for name in weights]
        weighted_scores = [
            score * weights[name] * (3 if (name, kind) == ("far", "If") else 1) for name, kind, score in rows
        ]
        (hit,) = rng.choices(range(len(rows)), weighted_scores)
        half = halves[rows[hit][0]]
        (place,) = rng.choices(range(400), [1 / ((half + n) * (half + n + 1)) for n in range(400)])
        streams = [
            Stream(name, kind, "seen", score, 400, 1.0, ((float(place), 1.0),) if at == hit else ())
            for at, (name, kind, score) in enumerate(rows)
        ]
        cases.append(Case("package", "operator", "value", tuple(streams)))
    messages: list[str] = []
    fitted = Model(cases).fit(messages.append)
    assert messages
    by_weight = sorted(fitted.templates, key=lambda name: -fitted.templates[name].weight)
    assert by_weight == ["often", "far", "seldom"]
    assert fitted.templates["often"].half < fitted.templates["far"].half
    assert fitted.templates["far"].of("If", "value") > 1.5 * fitted.templates["far"].of("Return", "value")
    assert 0.7 <= fitted.place <= 1.3


PACKAGE_SOURCE = """\
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
PACKAGE_TESTS = """\
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
    """Two fetched packages with the same code."""
    fetched = []
    for name in ("tiny", "other"):
        repo = tmp_path / f"somebody+{name}" / "repo"
        (repo / "tests").mkdir(parents=True)
        (repo / "tiny.py").write_text(PACKAGE_SOURCE)
        (repo / "tests" / "test_tiny.py").write_text(PACKAGE_TESTS)
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        for arguments in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-q", "-m", name]):
            subprocess.run(["git", "-C", repo, *arguments], check=True, capture_output=True)
        head = subprocess.run(["git", "-C", repo, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
        fetched.append(Package(f"somebody/{name}", head.stdout.strip(), "tiny.py", "tests"))
    monkeypatch.setattr(_mutants_observed, "PACKAGES", tuple(fetched))
    monkeypatch.setattr(_mutants_unrun, "PACKAGES", tuple(fetched))
    monkeypatch.setattr(_mutants_unrun, "UNRUN", ())
    return fetched


@pytest.mark.slow
def test_command_fits_weights_and_evaluates_held_out_package(
    tmp_path: Path, packages: list[Package], capsys: pytest.CaptureFixture[str]
) -> None:
    cache, weights, ranks = (str(tmp_path / name) for name in ("cache", "weights.json", "ranks.json"))
    arguments = ["--repos", str(tmp_path), "--cache", cache, "--mutants", "6", "--unrun", "6", "--limit", "1"]
    assert fit_templates.main([*arguments, "--held-out", "other", "--out", weights, "--json", ranks]) == 0
    output = capsys.readouterr().out
    assert "new weights" in output
    assert {file.name for file in Path(cache).iterdir()} == {f"{each.name}.jsonl.gz" for each in packages}
    fitted = parse_weights(Path(weights).read_text())
    assert set(fitted.templates) == set(templates())
    assert all(0 < each.weight <= 1 for each in fitted.templates.values())
    (row,) = json.loads(Path(ranks).read_text())
    assert row["package"] == "other"
    assert row["before"] >= 1 <= row["after"]


@pytest.mark.slow
def test_fit_without_mutants_is_refused(
    tmp_path: Path, packages: list[Package], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--repos", str(tmp_path), "--cache", str(tmp_path / "cache"), "--mutants", "1", "--unrun", "0"]
    assert fit_templates.main([*arguments, "--packages", "other", "--held-out", "other"]) == 2
    assert "No template reaches any of 0 mutants" in capsys.readouterr().err
