"""Results of go, RSpec, PHPUnit and Maven from recorded reports, and from Maven itself where it is installed."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aci.runtime.workspace import CommandResult
from aci.testing.junit_reports import junit_lines
from aci.testing.runner_hooks import RunnerRequest, collect_hooks
from aci.testing.suite_results import build_report
from aci.testing.suite_run import run_tests
from extensions.languages.runners import cargo, go, phpunit, rspec

RECORDED = Path(__file__).parent / "recorded"
MAVEN = Path(__file__).parent / "fixtures" / "maven"
TOOL = '#!/bin/sh\n[ -z "$PLAYED" ] || cat "$PLAYED"\necho "$@" >>"$CALLED"\nexit 1\n'


def make_request(*nodes, **files):
    def read_file(path):
        return files.get(path.replace(".", "_").replace("/", "_"), "")

    return RunnerRequest("/repo", "/harness", nodes, 1.0, read_file, lambda path: bool(read_file(path)))


def report(lines, code=1):
    return build_report("x", CommandResult(b"", code, 1.0, "/"), list(lines))


def read_go(*nodes, text=None):
    data = text if text is not None else (RECORDED / "go.jsonl").read_bytes()
    source = "package calc\nfunc TestAdds(t *testing.T) {}\nfunc TestLater(t *testing.T) {}\n"
    request = make_request(*nodes, go_mod="module example.com/calc\n", calc_test_go=source)
    return report(go.read(request, "/harness/out/go-1", data))


def test_go_results_are_read():
    parsed = read_go()
    assert parsed.complete
    assert parsed.counts == {"passed": 1, "failed": 2, "skipped": 1, "error": 1}
    small = parsed.find(".::TestTable/small")
    assert (small.path, small.line, small.trace) == ("calc_test.go", 21, ("calc_test.go:21:",))
    assert small.message == "calc_test.go:21: Add(1, 2) = 3, want 4"
    assert "build failed" in parsed.find("broken::TestX").message
    assert not read_go(text=(RECORDED / "go.jsonl").read_bytes()[:900]).complete


def test_build_error_of_go_package_is_reported():
    build_output = b"# example.com/calc/broken [example.com/calc/broken.test]\nbroken/x_test.go:4:9: undefined: Gone\n"
    broken = read_go(text=build_output + (RECORDED / "go.jsonl").read_bytes()).find("broken::TestX")
    assert "undefined: Gone" in broken.message
    assert (broken.path, broken.line) == ("broken/x_test.go", 4)


def test_go_report_is_complete_if_build_of_dependency_fails():
    needed = {"ImportPath": "example.com/other", "Action": "build-fail"}
    assert read_go(text=json.dumps(needed).encode() + b"\n" + (RECORDED / "go.jsonl").read_bytes()).complete


@pytest.mark.parametrize("number", ["9" * 5_000, "9" * 30])
def test_line_numbers_of_any_length_are_accepted(number):
    output = {"Action": "output", "Package": "p", "Test": "TestA", "Output": f"a_test.go:{number}: no\n"}
    failed = {"Action": "fail", "Package": "p", "Test": "TestA"}
    assert report(go.read(make_request(), "x", f"{json.dumps(output)}\n{json.dumps(failed)}\n".encode())).failed == (
        "p::TestA",
    )
    output = f"running 1 test\ntest a ... FAILED\n\nfailures:\n\n---- a stdout ----\nx panicked at src/a.rs:{number}:\n"
    assert (
        len(report(cargo.read(make_request(), "x", f"{output}\nfailures:\n    a\n\ntest result: x".encode())).failed)
        == 1
    )
    frames = [f"./a.rb:{number}:in `x'", "./a.rb:7:in `y'", {}, 5]
    for backtrace in (frames, 5, "x"):
        example = {"status": "failed", "file_path": "a.rb", "exception": {"backtrace": backtrace}}
        [failure] = report(rspec.read(make_request(), "x", json.dumps({"examples": [example]}).encode())).results
        assert ("a.rb:7:y" in failure.trace) == (backtrace == frames)
    java = f"<t><testcase name='a' line='{number}'><error>at x.A.b(A.java:{number})</error></testcase></t>"
    assert junit(java)[-1] == {"finish": 0, "expected": 1}


def test_binary_output_of_go_is_shown(make_repo, open_ws):
    """grep treats output with a zero byte as binary by default and prints none of it."""
    recording = b"\0 not a line of JSON\nprinted by a test\n" + (RECORDED / "go.jsonl").read_bytes()
    workspace = open_ws(
        "local", make_repo({"go.mod": "module example.com/calc\n", "played": recording, "tool/go": TOOL})
    )
    setting = 'chmod +x tool/go; export PATH="$PWD/tool:$PATH" PLAYED="$PWD/played" CALLED=/dev/null'
    workspace.run(setting, session="tests")
    assert b"printed by a test" in run_tests(workspace, "go test ./...").output


def test_failures_outside_requested_nodes_explain_exit_code():
    data = (RECORDED / "go.jsonl").read_bytes()
    request = make_request(".::TestAdds", go_mod="module example.com/calc\n")
    cases = {
        "go": go.read(request, "/harness/out/go-1", data),
        "cargo": cargo.read(
            make_request("b"), "x", b"running 2 tests\ntest a ... FAILED\ntest b ... ok\ntest result: FAILED"
        ),
        "rspec": rspec.read(make_request("spec/calc_spec.rb::Calc adds"), "x", (RECORDED / "rspec.json").read_bytes()),
        "junit": junit_lines(
            make_request("b"), "x", b"<t><testcase name='a'><failure/></testcase><testcase name='b'/></t>"
        ),
    }
    for name, lines in cases.items():
        parsed = report(lines, 101)
        assert (parsed.failed, parsed.ended_well, parsed.notes) == ((), True, ()), name


def test_go_results_are_narrowed_to_nodes():
    assert [result.id for result in read_go("calc_test.go").results] == [".::TestAdds", ".::TestLater"]
    assert [result.id for result in read_go(".::TestTable/small").results] == [".::TestTable/small"]
    assert len(read_go(".::TestTable").results) == 2


def test_go_run_by_make_is_recognised(make_repo, open_ws):
    files = {"go.mod": "module example.com/calc\n", "Makefile": "test:\n\tgo version\n\tgo test ./...\n"}
    workspace = open_ws(
        "local", make_repo({**files, "tool/go": TOOL, "played.jsonl": (RECORDED / "go.jsonl").read_bytes()})
    )
    setting = 'chmod +x tool/go; export PATH="$PWD/tool:$PATH" PLAYED="$PWD/played.jsonl" CALLED=/dev/stderr'
    workspace.run(setting, session="tests")
    workspace.run("sed -i '2i [ \"$1\" != version ] || exit 0' tool/go", session="tests")
    suite_report = run_tests(workspace, "make test", [".::TestTable/small"])
    assert suite_report.failed == (".::TestTable/small",), suite_report.output.decode()
    assert b"test -json -run ^(TestTable)$ ./..." in suite_report.output


def test_huge_output_of_go_is_cut_to_test_results(make_repo, open_ws, monkeypatch):
    monkeypatch.setattr("aci.testing.runner_hooks.MOST_BYTES", 3_000)
    noise = '{"Action":"output","Package":"example.com/calc","Test":"TestAdds","Output":"noise\\n"}\n' * 1_000
    files = {
        "go.mod": "module example.com/calc\n",
        "played.jsonl": noise.encode() + (RECORDED / "go.jsonl").read_bytes(),
    }
    workspace = open_ws("local", make_repo({**files, "tool/go": TOOL}))
    setting = 'chmod +x tool/go; export PATH="$PWD/tool:$PATH" PLAYED="$PWD/played.jsonl" CALLED=/dev/null'
    workspace.run(setting, session="tests")
    suite_report = run_tests(workspace, "go test ./...")
    assert suite_report.counts == {"passed": 1, "failed": 2, "skipped": 1}
    assert suite_report.find(".::TestTable/small").line == 21


def test_rspec_results_are_read():
    parsed = report(rspec.read(make_request(), "rspec-report.json", (RECORDED / "rspec.json").read_bytes()))
    assert parsed.counts == {"passed": 1, "failed": 1, "skipped": 1}
    failed = parsed.find("spec/calc_spec.rb::Calc fails")
    assert (failed.line, failed.error, failed.path) == (8, "ExpectationNotMetError", "spec/calc_spec.rb")
    assert failed.trace == ("spec/calc_spec.rb:9:block (2 levels) in <top (required)>",)
    assert list(rspec.read(make_request(), "", b'{"examples": 3}')) == []


def test_phpunit_results_are_read():
    data = (RECORDED / "phpunit.xml").read_text().replace("ROOT", "/repo").encode()
    parsed = report(phpunit.read(make_request(), "phpunit-report.xml", data))
    assert parsed.counts == {"passed": 1, "failed": 1, "skipped": 1}
    failed = parsed.find("CalcTest::testFails")
    assert (failed.path, failed.line) == ("tests/CalcTest.php", 13)
    assert failed.message.startswith("CalcTest::testFails\nFailed asserting that 3 matches expected 4.")


def test_each_call_of_phpunit_has_its_own_report():
    command = collect_hooks(make_request(), "cd phpunit && phpunit a; php vendor/bin/phpunit b")[0]
    assert command == (
        "cd phpunit && phpunit --log-junit /harness/out/phpunit-1.xml a; "
        "php vendor/bin/phpunit --log-junit /harness/out/phpunit-2.xml b"
    )


def test_maven_report_is_read():
    request = make_request(src_test_java_x_CalcTest_java="x", src_main_java_x_Calc_java="x")
    data = (RECORDED / "TEST-x.CalcTest.xml").read_bytes()
    parsed = report(junit_lines(request, "/repo/target/surefire-reports/TEST-x.CalcTest.xml", data))
    assert parsed.counts == {"passed": 3, "failed": 2, "skipped": 1}
    refuses = parsed.find("x.CalcTest::refuses")
    assert (refuses.path, refuses.error) == ("src/test/java/x/CalcTest.java", "IllegalArgumentException")
    assert refuses.trace == ("src/test/java/x/CalcTest.java:23:refuses", "src/main/java/x/Calc.java:6:add")
    assert refuses.message.startswith("too big")


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("mvn"), reason="Maven is not installed")
def test_maven_results_are_read(make_repo, open_ws):
    files = {str(file.relative_to(MAVEN)): file.read_bytes() for file in MAVEN.rglob("*") if file.is_file()}
    local_repository = Path.home() / ".m2" / "repository"
    command = f"mvn -o -q -B -Dmaven.repo.local={local_repository}"
    is_installed = subprocess.run([*command.split(), "--version"], capture_output=True, check=False).returncode == 0
    workspace = open_ws("local", make_repo(files))
    if not is_installed or workspace.run(f"{command} test-compile surefire:help", 300).code:
        pytest.skip("Maven lacks plug-ins that the fixture needs")
    parsed = run_tests(workspace, f"{command} test")
    assert parsed.counts == {"passed": 3, "failed": 2, "skipped": 1}, parsed.output.decode()
    node = "x.CalcTest::fails"
    assert run_tests(workspace, f"{command} test", [node]).failed == (node,)


def test_options_are_added_to_commands():
    def command(text, *nodes):
        return collect_hooks(make_request(*nodes), text)[0]

    assert command("./mvnw -B test", "src/test/java/a/BTest.java", "a.CTest::x") == (
        "./mvnw --fail-at-end '-Dtest=a.BTest,a.CTest#x*' -DfailIfNoTests=false "
        "-Dsurefire.failIfNoSpecifiedTests=false -B test"
    )
    assert command("mvn verify", "a.CTest::x").endswith(
        "'-Dit.test=a.CTest#x*' -Dfailsafe.failIfNoSpecifiedTests=false verify"
    )
    gradle = command("gradle test allTests", "a.CTest::x")
    assert gradle == ("gradle test --tests a.CTest.x jvmTest --continue --offline --tests a.CTest.x --rerun-tasks ")
    gradle = command("cd app && ./gradlew test; echo done", "a.CTest::x")
    assert gradle == "cd app && ./gradlew test --continue --offline --tests a.CTest.x --rerun-tasks ; echo done"
    assert command("vendor/bin/phpunit -v").startswith("vendor/bin/phpunit --log-junit /harness/out/phpunit-")
    assert command("python manage.py test --parallel", "app/tests/test_a.py::T::test_x") == (
        "python manage.py test --parallel app.tests.test_a.T.test_x"
    )
    assert command("python tests/runtests.py", "tests/auth/test_a.py") == "python tests/runtests.py auth.test_a"
    assert command("python manage.py test app", "app/a.py") == "python manage.py test app"


def junit(text, root="/repo"):
    return list(junit_lines(make_request(), "/repo/report.xml", text.encode()))


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><testsuite><testcase name="&b;"/></testsuite>',
        '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><t><testcase name="x">&f;</testcase></t>',
        '<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd"><testsuite/>',
        "<a>" * 100_000,
        "",
        "\0",
        "<testsuite encoding='utf-16'>",
    ],
)
def test_hostile_documents_give_no_results(text):
    assert not any("id" in line or "finish" in line for line in junit(text))


def test_reading_stops_in_document_nested_too_deeply():
    assert (
        junit("<t><testcase name='a'>" + "<error>" * 400 + "</error>" * 400 + "</testcase></t>")[-1].get("finish")
        is None
    )


def test_results_before_truncation_are_read():
    parsed = report(junit('<testsuite><testcase name="a" classname="A"/><testcase name="b"'))
    assert parsed.passed == ("A::a",)
    assert not parsed.complete


def test_long_message_is_cut():
    [line] = [
        line
        for line in junit(f"<t><testcase name='a'><failure>{'x' * 9_000_000}</failure></testcase></t>")
        if "id" in line
    ]
    assert len(line["message"]) == 4_000


@given(st.binary(max_size=300))
def test_any_bytes_are_accepted(data):
    list(junit_lines(make_request(), "/repo/TEST-x.xml", data))
    list(rspec.read(make_request(), "x", data))
    list(go.read(make_request(), "x", b'{"Action": "output"}\n' + data))
    list(cargo.read(make_request(), "x", b"running 1 test\ntest a ... FAILED\n" + data))


def test_old_reports_in_repository_are_ignored(make_repo, open_ws):
    old = "<testsuite><testcase name='old'/></testsuite>"
    workspace = open_ws("local", make_repo({"build/TEST-old.xml": old}))
    assert run_tests(workspace, "true").granularity == "command"
    new = "sleep 0.01; echo \"<testsuite><testcase name='new'/></testsuite>\" > build/TEST-new.xml"
    assert run_tests(workspace, new).passed == ("new",)
