"""Rows that say themselves how their tests run: SWE-bench 5, SWE-bench-Live, SWE-bench Pro, rebench."""

from __future__ import annotations

import json

import pytest

from extensions.lab.evaluation.eval_scripts import EvalScript, read_eval_script
from tests.extensions.lab.evaluation.test_grading_specs import build_spec

SCRIPT = """#!/bin/bash
set -uxo pipefail
source /opt/miniconda3/bin/activate
conda activate testbed
cd /testbed
export LANG=en_US.UTF-8
git config --global --add safe.directory /testbed
cd /testbed
git status
git show
git -c core.fileMode=false diff 0123456789
source /opt/miniconda3/bin/activate
conda activate testbed
python -m pip install -e .
git checkout 0123456789 tests/test_a.py
git apply -v - <<'EOF_114329324912'
diff --git a/tests/test_a.py b/tests/test_a.py
@@ -1 +1 @@
-1
+: '>>>>> Start Test Output'
EOF_114329324912
make tables
: '>>>>> Start Test Output'
pytest -rA tests/test_a.py
: '>>>>> End Test Output'
git checkout 0123456789 tests/test_a.py
"""


def test_commands_are_read_from_eval_script() -> None:
    expected = EvalScript(("export LANG=en_US.UTF-8",), "make tables\npytest -rA tests/test_a.py")
    assert read_eval_script(SCRIPT) == expected


@pytest.mark.parametrize(
    "script", ["", "pytest", SCRIPT.partition(": '>>>>> End")[0], SCRIPT.replace("pytest -rA tests/test_a.py\n", "")]
)
def test_script_without_marked_tests_is_not_used(script) -> None:
    assert read_eval_script(script) is None
    assert build_spec(eval_script=script, test_cmds=["make check"]).command == "make check"


def test_lines_with_an_effect_are_kept() -> None:
    more = (
        "cat > pytest.ini <<EOF\n[pytest]\nEOF\ncd frontend && npm run build\npip install \\\n  -e . \\\n  --no-deps\n"
        "read word <<< text\nsource env/bin/activate\n"
    )
    script = SCRIPT.replace("export LANG=en_US.UTF-8\n", more).replace(
        "make tables\n", "make tables\ncd packages/core\n"
    )
    found = read_eval_script(script)
    assert found
    assert found.before == (
        "cat > pytest.ini <<EOF\n[pytest]\nEOF\ncd frontend && npm run build\nread word <<< text\n"
        "source env/bin/activate",
    )
    assert found.command == "make tables\ncd packages/core\npytest -rA tests/test_a.py"


def test_row_of_version_5_brings_its_command_and_image() -> None:
    spec = build_spec(eval_script=SCRIPT, log_parser="parse_log_pytest", eval_type="pass_and_fail", image="img")
    assert (spec.command, spec.image, spec.publisher) == ("make tables\npytest -rA tests/test_a.py", "img", "swebench")
    assert not spec.fail_only
    assert build_spec(eval_script=SCRIPT, log_parser="no such parser").read is None
    assert build_spec(eval_script=SCRIPT, eval_type="fail_only").fail_only


def test_parser_is_found_by_its_name() -> None:
    pytest.importorskip("swebench")
    read = build_spec("pallets/flask", "2.3", eval_script=SCRIPT, log_parser="parse_log_flask").read
    assert read is not None
    assert read("PASSED a.py::t\nFAILED a.py::u - why\n") == {"a.py::t": True, "a.py::u": False}


@pytest.mark.parametrize(
    "commands", [["make", "pytest -rA"], json.dumps(["make", "pytest -rA"]), "['make', 'pytest -rA']"]
)
def test_commands_of_live_rows_run_one_after_the_other(commands) -> None:
    spec = build_spec(test_cmds=commands, log_parser="pytest")
    assert (spec.command, spec.nodes, spec.publisher) == ("make\npytest -rA", (), "starryzhang")


def test_files_selected_by_pro_rows_are_run() -> None:
    spec = build_spec(selected_test_files_to_run='["tests/test_b.py", "tests/test_a.py"]')
    assert spec.nodes == ("tests/test_a.py", "tests/data.json", "tests/test_b.py")


def test_commands_of_rebench_may_be_a_list() -> None:
    spec = build_spec(install_config={"test_cmd": ["make", "pytest -rA"], "python": "3.9"})
    assert (spec.command, spec.python) == ("make\npytest -rA", "3.9")
