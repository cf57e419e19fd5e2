"""Without the extension for other languages than Python, nothing is concluded about their code and tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from aci.graph.code_graph import query_graph
from aci.graph.file_selection import language_of
from aci.proof.compiled_tests import inline_regions, missing_names, split_inline_tests, with_base_tests
from aci.repository.disk_cache import version_of
from aci.testing.other_languages import UNEXAMINED
from aci.testing.suite_results import UNREAD, TestResult
from aci.testing.suite_run import run_tests
from tests.aci.conftest import BASE, CASE, RIGHT
from tests.text_blobs import TextBlobs
from trajectories import plugins
from trajectories.git_store.trees import EMPTY_TREE, Trees

NEW_TEST = f"{CASE}    def test_total(self): self.assertEqual(price.total([1, 2]), 3)\n"
SOLVED = {"shop/price.py": RIGHT, "tests/test_issue.py": NEW_TEST}
TESTED = {"test_a.py": "def test_a(): pass\n", "Makefile": "check:\n\tpython3 -m pytest -q\n"}


@pytest.fixture(autouse=True)
def without_languages(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    others = tuple(name for name in plugins.extension_names() if name != "languages")
    monkeypatch.setattr(plugins, "extension_names", lambda: others)
    version_of.cache_clear()
    yield
    version_of.cache_clear()


def test_code_graph_has_the_files_of_python() -> None:
    texts = {"a.py": "def add(): pass\n", "a.go": "package a\n\nfunc Add() {}\n", "b.js": "function add() {}\n"}
    paths, left_out = query_graph(TextBlobs(texts), None, lambda graph: (list(graph.paths), dict(graph.left_out)))
    assert paths == ["a.py"]
    assert left_out == dict.fromkeys(["a.go", "b.js"], "not in a supported language")
    assert (language_of("a.py"), language_of("a.go")) == ("python", "")


def test_tests_of_compiled_languages_are_not_told_apart() -> None:
    rust = b"fn a() {}\n#[cfg(test)]\nmod tests {}\n"
    assert split_inline_tests("a.rs", rust, rust.replace(b"{}", b"{ b(); }")) is None
    assert inline_regions("a.rs", rust) == []
    assert missing_names(TestResult("a", "error", "a.go:1:1: undefined: Total\n")) is None


@pytest.mark.parametrize(
    ("command", "more", "is_unread"),
    [
        ("true", {}, True),
        ("make check", {"lib/a.js": ""}, True),
        ("make check", {}, False),
        ("python3 -m pytest -q", {"lib/a.js": ""}, False),
    ],
)
def test_run_says_that_results_may_be_missing(make_repo, open_ws, command, more, is_unread) -> None:
    report = run_tests(open_ws("local", make_repo(TESTED | more)), command)
    assert (report.code, UNREAD in report.facts, report.ok) == (0, is_unread, not is_unread)
    assert report.passed == (() if command == "true" else ("test_a.py::test_a",))


@pytest.mark.slow
def test_exit_code_shows_neither_red_nor_no_loss(prove_patch) -> None:
    base = {"price.txt": "2\n", "tests/a.sh": "true\n"}
    patch = {"price.txt": "3\n", "tests/b.sh": '[ "$(cat price.txt)" = 3 ]\n'}
    command = "for t in tests/*.sh; do sh $t || exit 1; n=$((n + 1)); done; echo 1 tests passed"
    verdict = prove_patch(patch, base, command=command)
    assert (verdict.kind, verdict.granularity) == ("unproven", "command")
    assert (verdict.red, verdict.green, verdict.red_again, verdict.no_loss) == (None, None, None, None)
    assert verdict.notes.count(UNREAD.text) == 1
    assert prove_patch({"price.txt": "3\n", "tests/a.sh": "false\n"}, base, command="sh tests/a.sh").kind == "unproven"


@pytest.mark.slow
def test_exit_code_shows_a_loss(prove_patch) -> None:
    base = {"price.txt": "2\n", "tests/a.sh": '[ "$(cat price.txt)" = 2 ]\n'}
    verdict = prove_patch({"price.txt": "3\n"}, base, command="sh tests/a.sh")
    assert (verdict.kind, verdict.no_loss) == ("unproven", False)


@pytest.mark.slow
def test_results_of_some_tests_show_no_absence_of_loss(prove_patch) -> None:
    base = {**BASE, "lib/a.js": "", "Makefile": "check:\n\tpython3 -m pytest -q\n"}
    verdict = prove_patch(SOLVED, base, command="make check")
    assert (verdict.kind, verdict.red, verdict.green, verdict.no_loss) == ("unproven", True, True, None)
    assert UNREAD.text in verdict.notes


@pytest.mark.slow
def test_patch_of_other_code_has_a_doubt(prove_patch) -> None:
    verdict = prove_patch({**SOLVED, "lib/a.js": "f();\n"}, BASE)
    assert (verdict.kind, verdict.no_loss) == ("unproven", True)
    assert UNEXAMINED.text in verdict.notes


@pytest.mark.slow
def test_patch_of_python_is_proved(prove_patch) -> None:
    verdict = prove_patch(SOLVED, {**BASE, "lib/a.js": ""})
    assert (verdict.red, verdict.green, verdict.red_again, verdict.no_loss) == (True, True, True, True)
    assert not {UNREAD.text, UNEXAMINED.text}.intersection(verdict.notes)


def test_edited_tests_beside_code_are_not_delivered(tmp_path) -> None:
    """Nothing can tell them from the code, so the whole file is as in the base."""
    old = b"fn a() -> i32 { 1 }\n#[cfg(all(unix, test))]\nmod tests { fn t() { assert_eq!(super::a(), 1); } }\n"
    with Trees(tmp_path / "trees.git") as trees:
        base = trees.write({"src/lib.rs": old, "src/plain.rs": b"fn b() {}\n", "a.py": b"x = 1\n"}, EMPTY_TREE)
        changed = {"src/lib.rs": old.replace(b"1", b"2"), "src/plain.rs": b"fn c() {}\n", "a.py": b"x = 2\n"}
        kept = with_base_tests(trees, base, trees.write(changed, base))
        assert trees.read(kept, "src/lib.rs") == old
        assert trees.read(kept, "src/plain.rs") == changed["src/plain.rs"]


@pytest.mark.slow
def test_loss_in_a_junit_report_is_seen(prove_patch) -> None:
    """Any program may write such a report, so the core reads it."""
    report = (
        'passed=$(python3 -c "import shop.price as p; print(p.total([1]))")\n'
        "mkdir -p reports\n"
        'if [ "$passed" = 0 ]; then inner=""; else inner="<failure/>"; fi\n'
        'echo "<testsuite><testcase classname=\\"Lua\\" name=\\"old\\">$inner</testcase></testsuite>" '
        "> reports/TEST-lua.xml\n"
    )
    make = "check:\n\tpython3 -m unittest discover -s tests -t .\n\tsh lua.sh\n"
    base = {**BASE, "lua.sh": report, "lua.lua": "", "Makefile": make}
    verdict = prove_patch(SOLVED, base=base, command="make check")
    assert (verdict.kind, verdict.no_loss) == ("unproven", False)
    assert verdict.lost == ("Lua::old",)
