"""Corrected versions of existing tests: same calls and rows, other expectations."""

from __future__ import annotations

import pytest

from aci.proof.existing_tests import FileWithTests
from extensions.examiner.corrected_tests import CorrectedTest, ExistingTest, find_contradictions
from extensions.examiner.kept_inputs import has_same_inputs

PYTHON = """import pytest
from times import parse

@pytest.mark.parametrize(("text", "seconds"), [("3h", 180), ("5m", 300)])
def test_rows(text, seconds):
    assert parse(text) == seconds

class TestTimes:
    def test_method(self):
        value = parse("3h", strict=True)
        self.assertEqual(value, Decimal("180"))

def test_plain():
    assert parse("3h") == 180


def test_truth():
    assert is_valid(1)
"""
GO = """package times

var rows = []struct{ in, out string }{{"3h", "180"}, {in: "5m", out: "300"}}

func check(t *testing.T, in string, want int) { assert.Equal(t, Seconds(in), want) }

func TestRows(t *testing.T) {
	for _, row := range rows {
		t.Run(row.in, func(t *testing.T) {
			if got := Parse(row.in); got != row.out {
				t.Errorf("got %s", got)
			}
		})
	}
}

func TestPlain(t *testing.T) {
	check(t, "3h", 180)
	if got := Parse("3h"); got != "180" {
		t.Errorf("3h is %s, want 180", got)
	}
}
"""
RUST = """pub fn parse(text: &str) -> Option<u32> { None }

#[cfg(test)]
mod tests {
    static ROWS: &'static [(&'static str, Option<u32>)] = &[("3h", Some(180)), ("5m", None)];

    #[test]
    fn rows() {
        for &(text, seconds) in ROWS { assert_eq!(parse(text), seconds); }
    }

    #[test]
    fn plain() {
        assert_eq!(parse("3h"), Some(180));
    }
}
"""
JAVASCRIPT = """const { parse } = require('../times');
describe('times', () => {
  it('reads hours', () => {
    const expected = 180;
    expect(parse('3h')).toEqual(expected);
    t.is(parse('5h'), 300);
  });
  it.each([['3h', 180], ['5m', 300]])('reads a row', (text, seconds) => {
    assert.strictEqual(parse(text), seconds);
  });
});
"""
LOOP = """const CASES = [
  { description: 'reads hours', input: '3h', expected: 180 },
  { description: 'reads minutes', input: '5m', expected: 300 },
];
for (const one of CASES) it(one.description, () => assert.equal(parse(one.input), one.expected));
"""
RUBY = """describe Times do
  it "reads hours" do
    expect(Times.parse("3h")).to eq(180)
  end
end
"""
MINITEST = """class TimesTest < Minitest::Test
  def test_hours
    assert_equal 180, Times.parse("3h")
  end

  test "reads a word" do
    assert Times.valid?("3h")
  end
end

describe Times do
  describe "hours" do
    it "reads hours" do
      _(Times.parse("3h")).must_equal 180
      Times.parse("5h").must_be_nil
    end
  end
end
"""
PHP = """<?php
class TimesTest extends TestCase {
    public function testHours() { $this->assertSame(180, Times::parse("3h")); }
}
"""
JAVA = """class TimesTest {
    @Test void hours() { assertThat(Times.parse("3h")).isEqualTo(Optional.of(180)); }
    @Test void minutes() { assertEquals(300, Times.parse("5m")); }
}
"""
FILES = {
    "tests/test_times.py": PYTHON,
    "times/times_test.go": GO,
    "src/lib.rs": RUST,
    "test/times.test.js": JAVASCRIPT,
    "test/loop.test.js": LOOP,
    "spec/times_spec.rb": RUBY,
    "test/times_test.rb": MINITEST,
    "tests/TimesTest.php": PHP,
    "src/test/java/TimesTest.java": JAVA,
}
IDS = {
    "rows": "tests/test_times.py::test_rows[3h-180]",
    "method": "tests/test_times.py::TestTimes::test_method",
    "plain": "tests/test_times.py::test_plain",
    "truth": "tests/test_times.py::test_truth",
    "go-rows": "times::TestRows/3h",
    "go": "times::TestPlain",
    "rust-rows": "src/lib.rs::tests::rows",
    "rust": "src/lib.rs::tests::plain",
    "it": "test/times.test.js::times > reads hours",
    "each": "test/times.test.js::times > reads a row",
    "loop": "test/loop.test.js::loop > reads hours",
    "rspec": "spec/times_spec.rb::Times reads hours",
    "minitest": "test/times_test.rb::TimesTest::test_hours",
    "rails": "test/times_test.rb::TimesTest::test_reads_a_word",
    "minitest-spec": "test/times_test.rb::Times::hours::test_0001_reads hours",
    "phpunit": "TimesTest::testHours",
    "junit": "TimesTest::hours",
    "junit-2": "TimesTest::minutes",
}
PATHS = dict.fromkeys(("go-rows", "go"), "times/times_test.go") | {
    "phpunit": "tests/TimesTest.php",
    "junit": "src/test/java/TimesTest.java",
    "junit-2": "src/test/java/TimesTest.java",
}


def is_same(case: str, old: str, new: str) -> bool:
    path = PATHS.get(case, IDS[case].partition("::")[0])
    before = FileWithTests(path, FILES[path].encode())
    assert FILES[path].count(old), old
    after = FileWithTests(path, FILES[path].replace(old, new).encode())
    codes = [file.find(IDS[case]) for file in (before, after)]
    assert codes[0], "the test of the base must be found"
    return codes[1] is not None and has_same_inputs(codes[0].nodes, codes[1].nodes)


@pytest.mark.parametrize(
    ("case", "old", "new"),
    [
        ("rows", '("3h", 180)', '("3h", 10800)'),
        ("method", 'Decimal("180")', 'Decimal("10800")'),
        ("plain", 'assert parse("3h") == 180', 'with pytest.raises(ValueError):\n        parse("3h")'),
        ("go-rows", '"180"', '"10800"'),
        ("go-rows", 'out: "300"', 'out: "301"'),
        ("go", '"3h", 180', '"3h", 10800'),
        ("go", 'got != "180"', 'got != "10800"'),
        ("rust-rows", "Some(180)", "None"),
        ("rust", "Some(180)", "Some(10800)"),
        ("rust", "Some(180)", "None"),
        ("it", "expected = 180", "expected = 10800"),
        ("it", "t.is(parse('5h'), 300)", "t.throws(() => parse('5h'))"),
        ("each", "['3h', 180]", "['3h', 10800]"),
        ("loop", "expected: 180", "expected: 10800"),
        ("rspec", "eq(180)", "eq(10800)"),
        ("rspec", 'expect(Times.parse("3h")).to eq(180)', 'expect { Times.parse("3h") }.to raise_error'),
        ("minitest", "equal 180", "equal 10800"),
        ("minitest", 'equal 180, Times.parse("3h")', 'raises(Times::Error) { Times.parse("3h") }'),
        ("rails", "assert Times", "refute Times"),
        ("minitest-spec", "must_equal 180", "must_equal 10800"),
        ("minitest-spec", "must_be_nil", "must_equal 300"),
        ("minitest-spec", '_(Times.parse("3h")).must_equal 180', '_ { Times.parse("3h") }.must_raise Times::Error'),
        ("phpunit", "180", "10800"),
        ("junit", "Optional.of(180)", "Optional.of(10800)"),
        ("junit-2", "300,", "301,"),
        ("truth", "assert is_valid(1)", "assert not is_valid(1)"),
    ],
)
def test_other_expectation_for_the_same_calls(case: str, old: str, new: str) -> None:
    assert is_same(case, old, new)


@pytest.mark.parametrize(
    ("case", "old", "new"),
    [
        ("minitest", '"3h"', '"4h"'),
        ("minitest", 'Times.parse("3h")', "180"),
        ("rails", 'Times.valid?("3h")', "true"),
        ("minitest-spec", 'Times.parse("5h").must_be_nil', "nil.must_be_nil"),
        ("minitest-spec", '"5h"', '"6h"'),
        ("rows", '("3h", 180)', '("4h", 14400)'),
        ("rows", '("3h", 180), ', ""),
        ("rows", '("5m", 300)', '("5m", 300), ("1d", 86400)'),
        ("rows", "parse(text)", "int(text)"),
        ("method", "strict=True", "strict=False"),
        ("plain", 'assert parse("3h") == 180', "pass"),
        ("plain", "def test_plain", "def test_other"),
        ("plain", "def test_plain():", "def test_plain(:"),
        ("go-rows", '{"3h", "180"}', '{"4h", "180"}'),
        ("go-rows", "Parse(row.in)", 'Parse("x")'),
        ("go", '"3h", 180', '"4h", 180'),
        ("go", 'check(t, "3h", 180)', ""),
        ("go", 'Parse("3h"); got != "180"', 'Parse("4h"); got != "10800"'),
        ("rust-rows", '"3h"', '"4h"'),
        ("rust", 'parse("3h")', 'parse("4h")'),
        ("it", "parse('3h')", "parse('4h')"),
        ("it", "t.is(parse('5h'), 300);", ""),
        ("each", "['3h', 180], ", ""),
        ("loop", "input: '3h'", "input: '4h'"),
        ("loop", "input: '3h', ", ""),
        ("rspec", 'parse("3h")', 'parse("4h")'),
        ("phpunit", 'Times::parse("3h")', 'Times::parse("4h")'),
        ("junit", 'parse("3h")', 'parse("4h")'),
        ("junit-2", 'parse("5m")', 'parse("6m")'),
    ],
)
def test_other_calls(case: str, old: str, new: str) -> None:
    assert not is_same(case, old, new)


@pytest.mark.parametrize(
    ("case", "name", "definitions"),
    [
        ("go-rows", "TestRows", ["var rows"]),
        ("rust-rows", "rows", ["static ROWS"]),
        ("go", "TestPlain", ["func check"]),
    ],
)
def test_what_a_test_uses_is_shown_with_it(case: str, name: str, definitions: list[str]) -> None:
    path = PATHS.get(case, IDS[case].partition("::")[0])
    found = FileWithTests(path, FILES[path].encode()).find(IDS[case])
    assert found
    assert found.name == name
    texts = [FILES[path].encode()[start:end].decode() for start, end in found.spans[1:]]
    assert len(texts) == len(definitions)
    assert all(text.startswith(each) for text, each in zip(texts, definitions, strict=True))


def test_code_beside_tests_in_one_file_is_no_test() -> None:
    assert FileWithTests("src/lib.rs", RUST.encode()).find("src/lib.rs::parse") is None


@pytest.mark.parametrize(
    ("base", "patched", "is_found"),
    [("fails", "passes", True), ("passes", "passes", False), ("fails", "fails", False), ("fails", "", False)],
)
def test_corrected_test_must_fail_without_the_patch_and_pass_with_it(base, patched, is_found: bool) -> None:
    existing = ExistingTest("test_plain", "tests/test_times.py", (IDS["plain"],), ("…",))
    corrected = CorrectedTest(base, patched, 'assert parse("3h") == 180', 'assert parse("3h") == 10800')
    words = (
        'it asserts `assert parse("3h") == 180`; by the issue, `assert parse("3h") == 10800` (“3h is 10800 seconds”)'
    )
    found = find_contradictions([existing], [corrected], ["3h is 10800 seconds"])
    assert found == ({IDS["plain"]: words} if is_found else {})


def rewritten(path: str, id: str, old: str, new: str, source: str) -> bool:
    assert source.count(old) == 1, old
    before, after = (FileWithTests(path, text.encode()).find(id) for text in (source, source.replace(old, new)))
    assert before
    return after is not None and has_same_inputs(before.nodes, after.nodes)


PYTHON_INPUTS = [
    ('def test_a():\n    text = "5m"\n    assert parse(text) == 300\n', '"5m"', '"3h"'),
    ('TEXT = "5m"\n\ndef test_a():\n    assert parse(TEXT) == 300\n', '"5m"', '"3h"'),
    ("def test_a():\n    v = f()\n    assert v.a == 180\n    assert v.b == 3\n", "    assert v.b == 3\n", ""),
    ("def test_a():\n    value = f()\n    assert value == 180\n", "== 180", "is not None"),
    ('def test_a():\n    assert parse("3h").seconds == 180\n', ".seconds", ".minutes"),
    (
        '@pytest.mark.parametrize("name,a,b", [("h", "3h", 1)])\ndef test_a(name, a, b):\n    assert f(a) == b\n',
        "3h",
        "5m",
    ),
    ('@pytest.mark.parametrize("b,a", [(300, "5m")])\ndef test_a(a, b):\n    assert f(a) == b\n', "5m", "3h"),
    ('@pytest.mark.parametrize("a", ["3h", "5m"])\ndef test_a(a):\n    assert f(a) == 180\n', ', "5m"', ""),
    ('def run(text):\n    return f(text)\n\ndef test_a():\n    assert run("5m") == 300\n', '"5m")', '"3h")'),
    ('def test_a():\n    assert trie.contains("ab") is True\n', '"ab"', '"xy"'),
    ("def test_a():\n    assert should_retry(503)\n", "503", "404"),
    ("def test_a():\n    q.pop()\n    q.pop()\n    assert q.top == 3\n", "    q.pop()\n    q.pop()\n", "    q.pop()\n"),
    ('def test_a():\n    want = 300\n    assert Duration("5m") == want\n', '"5m"', '"3h"'),
    ("def test_a():\n    assert D(1) + D(2) == 3\n", "D(2)", "D(4)"),
    ("def test_a():\n    assert add(2, 1) == 3\n", "== 3", "!= 5"),
    ("def test_a():\n    assert add(2, 1) == 3\n", " == 3", ""),
    ("def test_a():\n    rows = [r for r in f() if r == 1]\n    assert g(rows) == 3\n", "r == 1", "r == 2"),
    ("def test_a():\n    n = 1\n    rows = [r for r in f() if r == n]\n    assert g(rows) == 3\n", "n = 1", "n = 2"),
]
GO_INPUTS = [
    ('assert.Equal(t, 300, Parse("5m"))', '300, Parse("5m")', '10800, Parse("3h")'),
    ('want := 300\n\tif Parse("5m") != want {\n\t\tt.Fatal("x")\n\t}', '"5m"', '"3h"'),
    ('in := "5m"\n\tif got := parse(in); got != 300 {\n\t\tt.Fatal("x")\n\t}', '"5m"', '"3h"'),
    (
        'for _, r := range []struct{n, expr string; want int}{{n: "m", expr: "5m", want: 300}} {\n'
        "\t\tif got := Parse(r.expr); got != r.want { t.Error(r.n) }\n\t}",
        '"5m"',
        '"3h"',
    ),
]
JAVASCRIPT_INPUTS = [
    ('assert.equal(require("../times").parse("5m"), 300)', '"5m"', '"3h"'),
    ('const o = {a: "5m"}; expect(parse(o)).toBe(300)', '"5m"', '"3h"'),
    ("expect(sum([1, 2])).toBe(300)", "[1, 2]", "[1, 3]"),
    ("const r = map(3, x => x + 1); expect(r).toBe(4)", "map(3", "map(5"),
    ("expect(v.a).toBe(180); expect(v.list).toContain(3)", " expect(v.list).toContain(3)", ""),
    ("expect(v.a).toBe(180)", "toBe(180)", "toBeDefined()"),
    ("expect(v.a).toBe(180)", "toBe(180)", "toBeTruthy()"),
    ("if (kind === 1) expect(v.a).toBe(180)", "kind === 1", "kind === 2"),
    ("expect(v.a).toBe(180)", ".toBe(180)", ".not.toBe(5)"),
]


@pytest.mark.parametrize(("source", "old", "new"), PYTHON_INPUTS)
def test_changed_input_or_assertion_in_python(source: str, old: str, new: str) -> None:
    assert not rewritten("tests/test_t.py", "tests/test_t.py::test_a", old, new, source)


@pytest.mark.parametrize(("body", "old", "new"), GO_INPUTS)
def test_changed_input_in_go(body: str, old: str, new: str) -> None:
    source = f"package times\n\nfunc TestA(t *testing.T) {{\n\t{body}\n}}\n"
    assert not rewritten("times/times_test.go", "times::TestA", old, new, source)


@pytest.mark.parametrize(("body", "old", "new"), JAVASCRIPT_INPUTS)
def test_changed_input_or_assertion_in_javascript(body: str, old: str, new: str) -> None:
    source = f"test('a', () => {{ {body} }})\n"
    assert not rewritten("test/t.test.js", "test/t.test.js::a", old, new, source)


@pytest.mark.parametrize(
    ("id", "source", "line"),
    [
        ("tests/test_t.py::test_hours", 'def test_hours():\n    assert parse("hours")\n', "def test_hours"),
        (
            "tests/test_t.py::TestMore::test_a",
            "class Test:\n    def test_a(self): 1\nclass TestMore:\n    def test_a(self): 2\n",
            "2",
        ),
        ("tests/test_t.py::test_a", "def test_a(): 1\nclass TestA:\n    def test_a(self): 2\n", ""),
        (
            "t.test.js::times > adds hours",
            "describe('times', () => { it('adds hours', () => {}) }); it('hours', f)\n",
            "adds",
        ),
        ("t.test.js::no hours", "it('hours', () => {})\n", ""),
        (
            "p::TestRows/negative",
            'package p\nfunc TestRows(t *testing.T) { t.Run("negative", run) }\n',
            "func TestRows",
        ),
    ],
)
def test_code_of_a_test_is_found_by_its_id(id: str, source: str, line: str) -> None:
    path = {"t.test.js": "t.test.js", "p": "p/p_test.go"}.get(id.partition("::")[0], "tests/test_t.py")
    found = FileWithTests(path, source.encode()).find(id)
    if line:
        assert found
        assert line in source[slice(*found.spans[0])]
    else:
        assert found is None or source[found.spans[0][0] :].startswith("def test_a(): 1")
