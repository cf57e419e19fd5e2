"""The `pipeline` strategy in other languages than Python: what is offered, and fixes that `react` does not reach."""

from __future__ import annotations

import shutil

import pytest

from extensions.papers.strategies.pipeline import find_elements
from tests.agent.conftest import act, line
from tests.agent.strategies.conftest import SUBMIT, FinishedRun, RunStrategy
from trajectories.git_store.trees import Trees

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

ISSUE = "add() subtracts\n\nadd(2, 3) gives -1 but should give 5."
MANIFEST = '[package]\nname = "calc"\nversion = "0.1.0"\nedition = "2021"\n'
RUST = {
    "Cargo.toml": MANIFEST,
    "Cargo.lock": 'version = 4\n\n[[package]]\nname = "calc"\nversion = "0.1.0"\n',
    "src/lib.rs": "use std::ops::Mul;\n\n/// The sum.\npub fn add(a: i32, b: i32) -> i32 {\n    a - b\n}\n\n"
    "pub struct Pair(pub i32);\n\nimpl Pair {\n    pub fn twice(&self) -> i32 {\n        self.0.mul(2)\n    }\n}\n",
    "tests/pair.rs": "#[test]\nfn twice() {\n    assert_eq!(calc::Pair(4).twice(), 8);\n}\n",
    ".gitignore": "target/\n",
}
RUST_TEST = """\
tests/issue.rs
```rust
#[test]
fn adds() {
    assert_eq!(calc::add(2, 3), 5);
    assert_eq!(calc::add(4, 0), 4);
}
```
"""
JAVASCRIPT = {
    "package.json": '{"name": "calc", "scripts": {"test": "node --test"}}\n',
    "lib/calc.js": "'use strict';\n\nfunction add(a, b) {\n  return a - b;\n}\n\nclass Pair {\n  constructor(a) {\n"
    "    this.a = a;\n  }\n\n  twice() {\n    return this.a * 2;\n  }\n}\n\nmodule.exports = { add, Pair };\n",
    "node_modules/other/index.js": "exports.add = () => 0;\n",
    "test/calc.test.js": "const test = require('node:test');\nconst assert = require('node:assert');\n"
    "const { Pair } = require('../lib/calc.js');\n\ntest('twice', () => assert.equal(new Pair(4).twice(), 8));\n",
}
JAVASCRIPT_TEST = """\
test/issue.test.js
```js
const test = require('node:test');
const assert = require('node:assert');
const { add } = require('../lib/calc.js');

test('adds', () => {
  assert.equal(add(2, 3), 5);
  assert.equal(add(4, 0), 4);
});
```
"""
GO = {
    "go.mod": "module calc\n\ngo 1.21\n",
    "calc/calc.go": 'package calc\n\nimport "fmt"\n\n// Add adds.\nfunc Add(a, b int) int {\n\treturn a - b\n}\n\n'
    "type Pair struct{ a int }\n\nfunc (p *Pair) Twice() string {\n\treturn fmt.Sprint(p.a * 2)\n}\n",
    "calc/calc_test.go": 'package calc\n\nimport "testing"\n\nfunc TestTwice(t *testing.T) {}\n',
}


def blocks(path: str, old: str, *new: str) -> list[dict]:
    """Replies of the attempts, each with one search/replace block."""
    texts = [f"{path}\n<<<<<<< SEARCH\n{old}\n=======\n{one}\n>>>>>>> REPLACE\n" for one in new]
    return [line(text, branch=f"main/patch-{number}") for number, text in enumerate(texts, 1)]


def questions(path: str, elements: str, test: str) -> list[dict]:
    tests = [line(test, branch=f"main/test-{number}") for number in (1, 2)]
    return [line(path, branch="main/files"), line(elements, branch="main/elements"), *tests]


def prompt(run: FinishedRun, branch: str) -> str:
    return next(step for step in run.steps if step.branch == branch and step.author == "task").observations[0].text


def final_text(run: FinishedRun, path: str) -> str:
    with Trees(run.result.directory / "trees.git") as trees:
        return trees.read(run.result.exit.tree, path).decode()


def test_elements_of_go_are_offered(run_strategy: RunStrategy) -> None:
    asked = questions("calc/calc.go", "calc/calc.go:Add  func Add(a, b int) int", "None.")
    run = run_strategy("pipeline", *asked, line("No."), files=GO, issue=ISSUE, attempts=1, test="true")
    files = prompt(run, "main/files")
    assert "calc/calc.go" in files
    assert "calc_test.go" not in files.partition("These are files")[2]
    elements = prompt(run, "main/elements")
    for one in ("calc/calc.go:Add  func Add(a, b int) int", "calc/calc.go:Pair.Twice  func (p *Pair) Twice() string"):
        assert one in elements
    shown = prompt(run, "main/patch-1")
    assert 'import "fmt"' in shown
    assert "return a - b" in shown
    assert "Sprint(p.a" not in shown
    assert "calc/calc_test.go" in prompt(run, "main/test-1")


@pytest.mark.parametrize(
    ("path", "text", "names"),
    [
        (
            "a.js",
            "import b from 'b';\nfunction f() {\n  function inner() {}\n}\nconst g = (a) => a;\n",
            {"f": 1, "g": 1, "(module)": 1},
        ),
        ("A.java", "class A {\n  int f() { return 0; }\n  int f(int a) { return a; }\n}\n", {"A": 1, "A.f": 2}),
        ("a.cc", "struct V { bool operator ==(V o) { return true; } };\n", {"V": 1, "V.operator==": 1}),
        ("a.rb", "module M\n  def f\n  end\nend\n", {"M": 1, "M.f": 1}),
        ("a.py", "import b\n\n\ndef f():\n    def inner(): ...\n", {"f": 1, "(module)": 1}),
        ("a.txt", "text\n", {"(module)": 1}),
    ],
)
def test_elements_of_file(path: str, text: str, names: dict[str, int]) -> None:
    assert {name: len(found) for name, found in find_elements(path, text).items()} == {
        f"{path}:{name}": count for name, count in names.items()
    }


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
def test_javascript_fix_is_chosen_by_vote(run_strategy: RunStrategy) -> None:
    wrong, right = "Math.abs(a) + Math.abs(b)", "a + b"
    patches = blocks(
        "lib/calc.js", "  return a - b;", f"  return {wrong};", f"  return {right};", "  // c\n  return a+b;"
    )
    asked = questions("lib/calc.js", "lib/calc.js:add", JAVASCRIPT_TEST)
    run = run_strategy("pipeline", *asked, *patches, files=JAVASCRIPT, issue=ISSUE, test="npm test")
    assert "node_modules" not in prompt(run, "main/files")
    assert "lib/calc.js:Pair.twice  twice()" in prompt(run, "main/elements")
    assert run.notes("vote")[0].startswith("2 for patch-2")
    assert (run.kind, right in final_text(run, "lib/calc.js")) == ("plausible", True)
    path, _, test = JAVASCRIPT_TEST.partition("\n```js\n")
    edits = (path, "", test.removesuffix("```\n")), ("lib/calc.js", "a - b", wrong)
    actions = [act("edit", path=path, old=old, new=new) for path, old, new in edits]
    single_run = run_strategy("react", line("So.", *actions, SUBMIT), files=JAVASCRIPT, issue=ISSUE, test="npm test")
    assert (single_run.kind, right in final_text(single_run, "lib/calc.js")) == ("plausible", False)


@pytest.mark.skipif(not shutil.which("cargo"), reason="cargo is not installed")
def test_rust_fix_is_verified(run_strategy: RunStrategy) -> None:
    asked = questions("src/lib.rs", "src/lib.rs:add", RUST_TEST)
    patches = blocks("src/lib.rs", "    a - b", "    a + b")
    world = {"files": RUST, "issue": ISSUE, "test": "cargo test --offline"}
    run = run_strategy("pipeline", *asked, *patches, attempts=1, **world)
    assert "src/lib.rs:Pair.twice  pub fn twice(&self) -> i32" in prompt(run, "main/elements")
    assert (run.kind, run.result.exit.verdict.tests) == ("plausible", ("issue:tests/issue.rs::adds",))
    in_words = [line(RUST_TEST + patch["reply"]["text"]) for patch in patches]
    single_run = run_strategy("react", *in_words, **world)
    assert (single_run.kind, final_text(single_run, "src/lib.rs")) == ("stuck", RUST["src/lib.rs"])
