"""jest, vitest and mocha through their own reporters: the real ones where SWE_AGENT_TEST_NODE_MODULES names a folder
that holds them, else what they told theirs is played to ours by a real node."""

import os
import shutil
from pathlib import Path

import pytest

from aci.testing.suite_run import run_tests

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
MODULES = os.environ.get("SWE_AGENT_TEST_NODE_MODULES", "")
needs_node = pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")


def files_of(name):
    folder = HERE / "fixtures" / name
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.fixture
def workspace(make_repo, open_ws):
    """`workspace(name, recorded)`: one with the fixture repository and its runner, real or played."""

    def open(name, recorded=""):
        files = files_of(name)
        if not MODULES:
            files["node_modules/.bin/recorded.json"] = (HERE / "recorded" / (recorded or f"{name}.json")).read_bytes()
            player = (HERE / "players" / f"{name}.js").read_bytes()
            files |= {f"node_modules/.bin/{name}": b"#!/usr/bin/env node\n" + player}
            files["node_modules/.bin/lib/reporters/spec.js"] = b"module.exports = class {};\n"  # which mocha has
        opened = open_ws("local", make_repo(files))
        opened.run(f"ln -s {MODULES} node_modules" if MODULES else "chmod +x node_modules/.bin/*")
        return opened

    return open


@needs_node
def test_jest(workspace):
    opened = workspace("jest")
    before = opened.snapshot().tree
    report = run_tests(opened, "npm test")
    assert (report.granularity, report.complete, report.code) == ("test", True, 1), report.output.decode()
    assert report.counts == {"passed": 3, "failed": 2, "error": 1, "skipped": 2}
    assert report.ended_well
    broken = report.find("src/calc.test.js::too big")
    assert (broken.path, broken.line, broken.error) == ("src/calc.test.js", 3, "RangeError")
    assert broken.message == "RangeError: too big"
    assert broken.trace[-1] == "src/calc.js:1:exports.add"
    fails = report.find("src/a.test.js::outer > inner > fails")
    assert fails.message.splitlines()[-2:] == ["Expected: 3", "Received: 2"]
    assert report.find("src/bad.test.js::anything").outcome == "error"
    assert opened.snapshot().tree == before


@needs_node
def test_jest_narrowed(workspace):
    opened = workspace("jest")
    one = "src/a.test.js::outer > inner > fails"
    for nodes, expected in (
        ([one], [one]),
        (["src/calc.test.js", "src/gone.test.js"], 3),
        (["src"], 8),
        (["src/gone.test.js"], []),
    ):
        found = [result.id for result in run_tests(opened, "npx jest", nodes).results]
        assert found == expected if isinstance(expected, list) else len(found) == expected, nodes


@needs_node
@pytest.mark.parametrize("version", ["2", "4"])
def test_vitest(workspace, version):
    opened = workspace("vitest", f"vitest{version}.json")
    report = run_tests(opened, f"VITEST_PLAYED={version} npm test")
    assert report.counts == {"passed": 2, "failed": 2, "error": 1, "skipped": 1}, report.output.decode()
    assert report.complete
    refuses = report.find("src/calc.test.js::add > refuses")
    assert (refuses.line, refuses.message) == (5, "RangeError: too big")
    assert refuses.trace[-1].startswith("src/calc.js:1:")
    assert report.find("src/calc.test.js::wrong").error == "AssertionError"
    assert report.find("src/bad.test.js").outcome == "error"
    one = "src/calc.test.js::add > refuses"
    assert run_tests(opened, "npm test", [one]).failed == (one,)


@needs_node
@pytest.mark.parametrize("options", ["", " --reporter spec --check-leaks test/", " -R dot -- test/calc.js"])
def test_mocha(workspace, options):
    opened = workspace("mocha")
    opened.write("package.json", opened.read("package.json").replace(b'"mocha"', f'"mocha{options}"'.encode()))
    report = run_tests(opened, "npm test")
    assert report.counts == {"passed": 1, "failed": 1, "skipped": 1, "error": 1}, report.output.decode()
    assert report.complete
    assert report.find("test/calc.js::add > fails").line == 4


@needs_node
def test_other_programs_of_node_are_left_alone(make_repo, open_ws):
    script = "console.log(JSON.stringify(process.argv.slice(2)))"
    report = run_tests(open_ws("local", make_repo({"a.js": script})), "node a.js --x")
    assert (report.granularity, report.output.strip()) == ("command", b'["--x"]')


@needs_node
def test_killed_run_keeps_what_was_told(workspace):
    opened = workspace("vitest", "vitest4.json")
    if MODULES:
        pytest.skip("the player is ended, not vitest")
    ended = "sed -i 's/reporter.onTestRunEnd.*/process.kill(process.pid, 9);/' node_modules/.bin/vitest && npm test"
    report = run_tests(opened, ended)
    assert not report.complete
    assert len(report.results) == 6
