from __future__ import annotations

import pytest

from aci.observation.output_text import CAPS
from agent.conversation.messages import describe_result
from tests.tools.conftest import MakeBench


def test_output_directory_and_exit_code_are_shown(make_bench: MakeBench) -> None:
    bench = make_bench({"src/a.py": "x = 1\n"})
    assert bench("shell", command="echo hello").text == "hello"
    assert bench("shell", command="true").text == "(no output)"
    failed = bench("shell", command="cd src; echo oops >&2; false")
    assert not failed.ok
    assert failed.data["code"] == 1
    assert failed.text == "oops\n[exit code 1; in src]"
    assert describe_result(failed) == "exit code 1: oops"
    assert bench("shell", command="ls").text == "a.py\n[in src]"


@pytest.mark.parametrize(
    ("command", "result"),
    [
        ("echo one; echo two; exit 3", "exit code 3: two"),
        ("false", "exit code 1"),
        ("echo start; python3 -c 'raise ValueError(5)'", "exit code 1: ValueError: 5"),
        ("no-such-program; exit 127", "exit code 127: "),
        ("echo 'one'; echo; echo '  two  '; echo; exit 2", "exit code 2: two"),
        ("echo one; echo two", "one"),
        ("true", "(no output)"),
    ],
)
def test_failed_command_has_its_exit_code(make_bench: MakeBench, command: str, result: str) -> None:
    shown = describe_result(make_bench({"a.py": ""})("shell", command=f"({command})"))
    assert shown.startswith(result) if result.endswith(": ") else shown == result


def test_variables_persist_and_stdin_is_empty(make_bench: MakeBench) -> None:
    bench = make_bench({"a": ""})
    bench("shell", command="export COLOUR=blue")
    assert bench("shell", command="cat; echo $COLOUR").text == "blue"


@pytest.mark.slow
def test_command_that_takes_too_long_is_ended(make_bench: MakeBench) -> None:
    bench = make_bench({"a": ""})
    observation = bench("shell", command="echo started; sleep 60", timeout=0)
    assert not observation.ok
    assert observation.text.startswith("started\n[timed out after 1 s")
    assert "was restarted" in observation.text
    assert describe_result(observation) == "timed out: started"
    assert bench("shell", command="echo alive").text == "alive"


def test_restart_of_ended_shell_is_reported(make_bench: MakeBench) -> None:
    bench = make_bench({"a": ""})
    assert "was restarted" in bench("shell", command="exit 3").text


def test_long_output_is_cut_and_stored_completely(make_bench: MakeBench) -> None:
    bench = make_bench({"a": ""})
    command = """awk 'BEGIN { for (i = 1; i <= 3000; i++) printf "%d: %xq\\n", i, i * 7919 }'"""
    observation = bench("shell", command=command)
    assert len(observation.text) <= 8_000
    assert observation.text.startswith("1: 1eef")
    assert observation.text.splitlines()[-1].startswith("3000:")
    assert observation.out == 1
    assert "out:1" in observation.text
    assert len(bench.outputs[0].splitlines()) == 3000
    window = bench("view", path="out:1", start=1500, end=1501)
    assert window.text.startswith("out:1, lines 1500-1501 of 3000\n1500\t1500: ")


def test_escapes_and_secrets_do_not_reach_model(make_bench: MakeBench) -> None:
    bench = make_bench({"a": ""})
    text = bench("shell", command="printf '\\033[31mred\\033[0m\\rgreen hunter2hunter2 \\377'").text
    assert text == "green [masked] \ufffd"


@pytest.mark.slow
def test_long_listing_and_search_show_every_folder_within_cap(make_bench: MakeBench) -> None:
    files = {f"pkg_{n % 8}/sub_{n % 5}/module_{n}.py": "value = compute_something(1)\n" * 3 for n in range(160)}
    bench = make_bench(files)
    for command in ("git ls-files", "find . -name '*.py'", "cd pkg_1/..; ls -R pkg_*"):
        observation = bench("shell", command=command)
        assert len(observation.text) <= CAPS["listing"]
        assert all(f"pkg_{n}" in observation.text for n in range(8))
        assert f"full output: out:{observation.out}" in observation.text
    observation = bench("shell", command="grep -rn compute_something pkg_1 pkg_2")
    assert len(observation.text) <= CAPS["search"]
    assert all(f"module_{n}.py:1:" in observation.text for n in range(1, 160, 8))


def test_file_shown_by_shell_is_never_folded(make_bench: MakeBench) -> None:
    bench = make_bench({"data.py": "x = 1\n" * 1_000})
    observation = bench("shell", command="cat data.py")
    assert observation.text == ("x = 1\n" * 1_000).strip()
    assert observation.out is None


@pytest.mark.slow
def test_test_run_in_shell_is_summarised_with_output_address(make_bench: MakeBench) -> None:
    passing = "".join(f"def test_ok_{n}():\n    pass\n\n\n" for n in range(40))
    lines = "".join(f"    step_{n} = {n}\n" for n in range(20))
    failing = f"def total(a, b):\n    return a - b\n\n\ndef test_total():\n{lines}    assert total(1, 2) == 3\n"
    bench = make_bench({"test_a.py": passing, "test_b.py": failing})
    observation = bench("shell", command="python3 -m pytest -v -p no:cacheprovider; true")
    assert "1 failed, 40 passed" in observation.text
    assert "assert total(1, 2) == 3" in observation.text
    assert "FAILED test_b.py::test_total" in observation.text
    assert "test_ok_7" not in observation.text
    assert "step_3 = 3" not in observation.text
    assert f"full output: out:{observation.out}" in observation.text
    assert b"test_ok_7" in bench.outputs[-1]
