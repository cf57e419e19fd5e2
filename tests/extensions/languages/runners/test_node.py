"""Results of jest, vitest, mocha, Playwright's runner and Node's own through their own reporters.

The real runners are used if SWE_AGENT_TEST_NODE_MODULES names a folder that holds them. Otherwise, recorded
results are sent to our reporters.
"""

import json
import os
import re
import shutil
import subprocess
from importlib.resources import files
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
def open_runner(make_repo, open_ws):
    """`open_runner(name, recorded)`: a workspace with the fixture repository and its runner, real or recorded."""

    def open(name, recorded=""):
        files = files_of(name)
        if not MODULES:
            files["node_modules/.bin/recorded.json"] = (HERE / "recorded" / (recorded or f"{name}.json")).read_bytes()
            player = (HERE / "players" / f"{name}.js").read_bytes()
            files |= {f"node_modules/.bin/{name}": b"#!/usr/bin/env node\n" + player}
            files["node_modules/.bin/lib/reporters/spec.js"] = b"module.exports = class {};\n"  # a file that mocha has
        workspace = open_ws("local", make_repo(files))
        workspace.run(f"ln -s {MODULES} node_modules" if MODULES else "chmod +x node_modules/.bin/*")
        return workspace

    return open


@needs_node
def test_jest_results_are_read(open_runner):
    workspace = open_runner("jest")
    before = workspace.snapshot().tree
    report = run_tests(workspace, "npm test")
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
    assert workspace.snapshot().tree == before


@needs_node
@pytest.mark.installers
def test_jest_runs_only_given_nodes(open_runner):
    workspace = open_runner("jest")
    node = "src/a.test.js::outer > inner > fails"
    for nodes, expected in (
        ([node], [node]),
        (["src/calc.test.js", "src/gone.test.js"], 3),
        (["src"], 8),
        (["src/gone.test.js"], []),
    ):
        ids = [result.id for result in run_tests(workspace, "npx jest", nodes).results]
        assert ids == expected if isinstance(expected, list) else len(ids) == expected, nodes


@needs_node
@pytest.mark.parametrize("version", ["2", "4"])
def test_vitest_results_are_read(open_runner, version):
    workspace = open_runner("vitest", f"vitest{version}.json")
    report = run_tests(workspace, f"VITEST_PLAYED={version} npm test")
    assert report.counts == {"passed": 2, "failed": 2, "error": 1, "skipped": 1}, report.output.decode()
    assert report.complete
    refuses = report.find("src/calc.test.js::add > refuses")
    assert (refuses.line, refuses.message) == (5, "RangeError: too big")
    assert refuses.trace[-1].startswith("src/calc.js:1:")
    assert report.find("src/calc.test.js::wrong").error == "AssertionError"
    assert report.find("src/bad.test.js").outcome == "error"
    node = "src/calc.test.js::add > refuses"
    assert run_tests(workspace, "npm test", [node]).failed == (node,)


@needs_node
@pytest.mark.parametrize("options", ["", " --reporter spec --check-leaks test/", " -R dot -- test/calc.js"])
def test_mocha_results_are_read(open_runner, options):
    workspace = open_runner("mocha")
    workspace.write("package.json", workspace.read("package.json").replace(b'"mocha"', f'"mocha{options}"'.encode()))
    report = run_tests(workspace, "npm test")
    assert report.counts == {"passed": 1, "failed": 1, "skipped": 1, "error": 1}, report.output.decode()
    assert report.complete
    assert report.find("test/calc.js::add > fails").line == 4


@needs_node
def test_mocha_loads_no_other_tests(make_repo, open_ws):
    """While it is loaded, another file of tests could change what the requested ones share with it."""
    program = """#!/usr/bin/env node
        const Mocha = require('./lib/mocha.js');
        const name = process.argv.filter((word) => word.startsWith('--reporter=')).pop().slice('--reporter='.length);
        new (require(name))({ on: () => {} }, {});
        const mocha = new Mocha();
        mocha.files = ['a', 'b', 'setup'].map((each) => process.cwd() + '/test/' + each + '.js');
        mocha.loadFiles();
        """
    loading = "loadFiles() { this.files.forEach((file) => require(file)); }"
    tests = "global.describe = () => 0; console.log('loaded', __filename); describe('x', () => 0);"
    repo = make_repo(
        {
            "node_modules/.bin/mocha": program,
            "node_modules/.bin/lib/mocha.js": f"module.exports = class {{ {loading} }};",
            "node_modules/.bin/lib/reporters/spec.js": "module.exports = class {};",
            "test/a.js": tests,
            "test/b.js": tests,
            "test/setup.js": "// load it (once)\nif (/^v/.test(process.version)) console.log('loaded', __filename);",
        }
    )
    report = run_tests(open_ws("local", repo), "node node_modules/.bin/mocha", ["test/a.js"])
    loaded = re.findall(r"loaded .*/test/(\w+)\.js", report.output.decode())
    assert loaded == ["a", "setup"], report.output.decode()


@needs_node
def test_other_node_programs_are_not_changed(make_repo, open_ws):
    script = "console.log(JSON.stringify(process.argv.slice(2)))"
    report = run_tests(open_ws("local", make_repo({"a.js": script})), "node a.js --x")
    assert (report.granularity, report.output.strip()) == ("command", b'["--x"]')


@needs_node
def test_killed_run_keeps_reported_results(open_runner):
    workspace = open_runner("vitest", "vitest4.json")
    if MODULES:
        pytest.skip("only the recorded runner can be killed")
    command = "sed -i 's/reporter.onTestRunEnd.*/process.kill(process.pid, 9);/' node_modules/.bin/vitest && npm test"
    report = run_tests(workspace, command)
    assert not report.complete
    assert len(report.results) == 6


@needs_node
@pytest.mark.installers
def test_results_of_playwright_are_read(make_repo, open_ws):
    player = (HERE / "players" / "playwright.js").read_bytes()
    files = {"package.json": '{"scripts": {"e2e": "playwright test"}}', "e2e/shop.spec.js": ""}
    workspace = open_ws("local", make_repo(files | {"node_modules/.bin/playwright": b"#!/usr/bin/env node\n" + player}))
    workspace.run("chmod +x node_modules/.bin/playwright")
    report = run_tests(workspace, "npm run e2e")
    assert (report.complete, report.ended_well, report.unasked) == (True, True, True), report.output.decode()
    outcomes = {result.id.removeprefix("e2e/"): result.outcome for result in report.results}
    assert outcomes == {
        "shop.spec.js::shop > title [x]": "passed",
        "shop.spec.js::shop > heading": "failed",
        "shop.spec.js::shop > flaky": "passed",
        "shop.spec.js::shop > later": "skipped",
        "shop.spec.js::shop > known bug": "passed",
        "bad.spec.js": "error",
    }
    assert report.find("e2e/shop.spec.js::shop > heading").trace == ("e2e/shop.spec.js:4:",)
    node = "e2e/shop.spec.js::shop > title [x]"
    assert run_tests(workspace, "npx playwright test", [node]).passed == (node,)


@needs_node
def test_results_of_nodes_own_runner_are_read(make_repo, open_ws):
    tests = """const { test, describe, it } = require("node:test"); const assert = require("assert");
test("one", () => {});
describe("outer", () => { it("fails", () => assert.equal(1, 2)); it.skip("later", () => {}); });
"""
    bad = "const { test } = require('node:test');\nthrow new RangeError('broken');\n"
    files = {"package.json": '{"scripts": {"test": "node --test"}}', "a.test.js": tests, "b.test.js": bad}
    workspace = open_ws("local", make_repo(files))
    report = run_tests(workspace, "npm test")
    outcomes = {result.id: result.outcome for result in report.results}
    if not outcomes:
        pytest.skip("this version of Node has no reporters")
    assert outcomes == {
        "a.test.js::one": "passed",
        "a.test.js::outer > fails": "failed",
        "a.test.js::outer > later": "skipped",
        "b.test.js": "error",
    }
    assert (report.complete, report.ended_well) == (True, True)
    assert "RangeError: broken" in report.find("b.test.js").message
    assert report.find("a.test.js::outer > fails").line == 3
    assert run_tests(workspace, "jest", ["a.test.js::one"]).passed == ("a.test.js::one",)


@needs_node
def test_modules_of_node_18_are_named_by_their_url(tmp_path):
    (tmp_path / "run.json").write_text(
        json.dumps({"nodes": ["a.test.mjs"], "root": str(tmp_path), "out": f"{tmp_path}/out"})
    )
    event = {"type": "test:pass", "data": {"name": "one", "nesting": 0, "file": f"file://{tmp_path}/a.test.mjs"}}
    reporter = files("extensions.languages.guest") / "node" / "nodetest.cjs"
    script = f"(async () => {{ for await (const said of require('{reporter}')([{json.dumps(event)}])); }})()"
    env = {**os.environ, "SWE_AGENT_RUN": str(tmp_path / "run.json")}
    subprocess.run(["node", "-e", script], env=env, check=True)
    lines = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert [line["id"] for line in lines if "outcome" in line] == ["a.test.mjs::one"]


TAPE = """\
const { EventEmitter } = require('events');
let harness;
function getHarness() {
  if (harness) return harness;
  const results = new EventEmitter();
  harness = (name, body) => {
    const test = new EventEmitter();
    test.name = name;
    test.equal = (actual, expected) => {
      const error = actual === expected ? undefined : new Error('should be equal');
      test.emit('result', { ok: !error, name: 'should be equal', operator: 'equal', actual, expected, error });
    };
    test.test = (inner, inside) => {
      const child = Object.assign(new EventEmitter(), { name: inner, equal: test.equal });
      test.emit('test', child);
      inside(child);
      child.emit('end');
    };
    results.emit('_push', test);
    process.nextTick(() => { body(test); test.emit('end'); });
  };
  harness._results = results;
  harness.onFinish = (done) => process.on('exit', done);
  return harness;
}
module.exports = (...given) => getHarness()(...given);
module.exports.getHarness = getHarness;
module.exports.createHarness = () => {};
"""
"""A stand-in with the events of tape 5 that the hook listens to."""
TAPE_TEST = """\
const test = require('tape');
test('adds', (t) => { t.equal(1 + 1, 2); });
test('subtracts', (t) => { t.equal(1 - 1, 1); });
test('group', (t) => { t.test('inner', (s) => { s.equal(1, 1); }); });
"""


@needs_node
@pytest.mark.slow
def test_results_of_tape_are_read(make_repo, open_ws) -> None:
    files = {
        "package.json": '{"name": "calc", "scripts": {"test": "node test/calc.js"}}\n',
        "node_modules/tape/index.js": TAPE,
        "test/calc.js": TAPE_TEST,
    }
    workspace = open_ws("local", make_repo(files))
    report = run_tests(workspace, "npm test")
    outcomes = {result.id: result.outcome for result in report.results}
    assert outcomes == {
        "test/calc.js::adds": "passed",
        "test/calc.js::subtracts": "failed",
        "test/calc.js::group": "passed",
        "test/calc.js::group > inner": "passed",
    }
    assert report.complete
    [failed] = [result for result in report.results if result.bad]
    assert (failed.line, "equal: 0 instead of 1" in failed.message) == (3, True)
    assert run_tests(workspace, "npm test", ["test/calc.js::adds"]).passed == ("test/calc.js::adds",)


UVU = """\
globalThis.UVU_QUEUE = globalThis.UVU_QUEUE || [];
async function runner(context, suite) {
  let errors = 0;
  for (const test of context.only.length ? context.only : context.tests) {
    try { await test.handler({}); } catch (error) { errors += 1; }
  }
  return errors;
}
const suite = (name = '') => {
  const context = { only: [], tests: [] };
  const test = (title, handler) => context.tests.push({ name: title, handler });
  test.run = () => UVU_QUEUE.push(runner.bind(0, Object.assign({}, context), name));
  return test;
};
const exec = async () => { for (const run of UVU_QUEUE) if (await run()) process.exitCode = 1; };
"""
"""A stand-in with the parts of uvu 0.5 that are followed, for both ways of loading it."""
JASMINE = """\
#!/usr/bin/env node
const reporters = [];
const specs = [];
global.jasmine = { getEnv: () => env };
const env = {
  addReporter: (one) => reporters.push(one),
  it: (description, body) => {
    specs.push({ id: `spec${specs.length}`, description, body });
    return specs[specs.length - 1];
  },
};
global.it = (...args) => env.it(...args);
const [helpers, files] = [[], []];
for (const word of process.argv.slice(2)) {
  (word.startsWith('--helper=') ? helpers : files).push(word.replace('--helper=', ''));
}
for (const file of [...helpers, ...files]) require(require('path').resolve(file));
for (const { id, description, body } of specs) {
  const failedExpectations = [];
  try { body(); } catch (error) { failedExpectations.push(error); process.exitCode = 3; }
  const status = failedExpectations.length ? 'failed' : 'passed';
  reporters.forEach((one) => one.specDone({ id, description, status, failedExpectations }));
}
"""
"""A stand-in with the parts of jasmine 3 to 5 that are used."""
RUN_STATUS = """\
export default class RunStatus {
  emitStateChange(event) { this.last = event; }
}
"""
AVA = """\
#!/usr/bin/env node
import path from 'node:path';
import RunStatus from '../lib/run-status.js';
await new Promise((done) => setTimeout(done, 50)); // ava reads its settings first
const status = new RunStatus();
const testFile = path.resolve('test.js');
const values = [{ label: 'Difference:', formatted: '- 1' }];
const err = { name: 'AssertionError', message: 'differs', values, stack: '' };
for (const title of ['adds', 'subtracts', 'later']) {
  status.emitStateChange({ type: 'selected-test', title, testFile, skip: title === 'later', todo: false });
}
status.emitStateChange({ type: 'test-passed', title: 'adds', testFile, duration: 5 });
const failed = { type: 'test-failed', title: 'subtracts', testFile, duration: 5, err };
if (!process.env.CRASHES) status.emitStateChange(failed);
process.exitCode = 1;
"""
"""A stand-in with the events of ava 3 to 6 that are followed."""
TAP = """\
const { EventEmitter } = require('events');
class Test extends EventEmitter {
  constructor(name) { super(); Object.assign(this, { name, options: {}, count: 0, failures: [] }); }
  equal(found, wanted) {
    this.count += 1;
    if (found !== wanted) this.failures.push({ name: 'equal', diag: { found, wanted, stack: 'test/calc.js:3:9\\n' } });
  }
  test(name, body) {
    const child = new Test(name);
    this.count += 1;
    this.emit('subtestAdd', child);
    body(child);
    child.end();
    if (child.failures.length) this.failures.push({ name });
  }
  end() { this.emit('complete', { ok: !this.failures.length, count: this.count, failures: this.failures }); }
}
module.exports = new Test('TAP');
process.on('beforeExit', () => { module.exports.end(); process.exitCode = module.exports.failures.length ? 1 : 0; });
"""
"""A stand-in with the events of tap 14 to 21 that are followed."""
UVU_PROGRAM = """\
#!/usr/bin/env node
const { resolve } = require('path');
const files = require('fs').readdirSync('test');
const wanted = files.filter((one) => !process.argv[3] || new RegExp(process.argv[3]).test('test/' + one));
(async () => {
  for (const one of wanted) await import(resolve('test', one));
  (await import('uvu')).exec();
})();
"""
PACKAGES = {
    "uvu": {
        "package.json": '{"exports": {"import": "./dist/index.mjs", "require": "./dist/index.js"}}',
        "dist/index.js": UVU + "module.exports = { suite, test: suite(), exec };\n",
        "dist/index.mjs": UVU + "const test = suite();\nexport { suite, test, exec };\n",
        "bin.js": UVU_PROGRAM,
    },
    "jasmine": {"bin/jasmine.js": JASMINE},
    "ava": {"package.json": '{"type": "module"}', "lib/run-status.js": RUN_STATUS, "entrypoints/cli.mjs": AVA},
    "tap": {
        "bin/run.js": "require('child_process').fork(process.argv[2], { env: { ...process.env, TAP: '1' } })"
        ".on('exit', (code) => { process.exitCode = code; });\n",
        "index.js": "module.exports = require('libtap');\n",
    },
    "libtap": {"package.json": '{"main": "lib/tap.js"}', "lib/tap.js": TAP},
}
FOLLOWED = {
    "uvu": (
        "node node_modules/uvu/bin.js test",
        "test/calc.mjs",
        "import { test } from 'uvu';\ntest('adds', () => {});\n"
        "test('subtracts', () => { throw new Error('0 is not 1'); });\ntest.run();\n",
        "0 is not 1",
    ),
    "jasmine": (
        "node node_modules/jasmine/bin/jasmine.js test/calc.js",
        "test/calc.js",
        "it('adds', () => {});\nit('subtracts', () => { throw new Error('0 is not 1'); });\n",
        "0 is not 1",
    ),
    "ava": (
        "node node_modules/ava/entrypoints/cli.mjs",
        "test.js",
        "import 'ava';\n",
        "AssertionError: differs\nDifference: - 1",
    ),
    "tap": (
        "node node_modules/tap/bin/run.js test/calc.js",
        "test/calc.js",
        "const t = require('tap');\n"
        "t.test('adds', (t) => { t.equal(1 + 1, 2); });\nt.test('subtracts', (t) => { t.equal(1 - 1, 1); });\n",
        "0 instead of 1",
    ),
}


@needs_node
@pytest.mark.slow
@pytest.mark.parametrize("name", FOLLOWED)
def test_results_of_followed_runners_are_read(name, make_repo, open_ws) -> None:
    command, path, test, message = FOLLOWED[name]
    packages = {f"node_modules/{each}/{file}": text for each, files in PACKAGES.items() for file, text in files.items()}
    workspace = open_ws("local", make_repo(packages | {path: test}))
    report = run_tests(workspace, command)
    expected = {f"{path}::adds": "passed", f"{path}::subtracts": "failed"}
    expected |= {f"{path}::later": "skipped"} if name == "ava" else {}
    assert {result.id: result.outcome for result in report.results} == expected
    assert report.complete
    [failed] = [result for result in report.results if result.bad]
    assert message in failed.message
    one = run_tests(workspace, command, [f"{path}::adds"])
    assert (one.passed, one.complete) == ((f"{path}::adds",), True)


@needs_node
@pytest.mark.slow
def test_tests_without_results_make_a_followed_run_incomplete(make_repo, open_ws) -> None:
    packages = {f"node_modules/ava/{file}": text for file, text in PACKAGES["ava"].items()}
    workspace = open_ws("local", make_repo(packages | {"test.js": ""}))
    assert not run_tests(workspace, f"CRASHES=1 {FOLLOWED['ava'][0]}").complete
