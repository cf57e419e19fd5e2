"""Causes that test runners state in their output when they cannot run the tests."""

import pytest

from aci.observation.failure_cause import LONGEST, failure_cause, last_line


def banner(name):
    return f"============ {name} ============\n"


@pytest.mark.parametrize(
    ("output", "cause"),
    [
        # pytest
        (
            "ERROR: usage: __main__.py [options] [file_or_dir]\n__main__.py: error: "
            "unrecognized arguments: --cov=shop\n  inifile: /repo/pytest.ini\n  rootdir: /repo\n",
            "__main__.py: error: unrecognized arguments: --cov=shop",
        ),
        (
            f"ERROR: Unknown config option: asyncio_mode\n\n{banner('test session starts')}{banner('no tests ran')}",
            "ERROR: Unknown config option: asyncio_mode",
        ),
        (
            f"ERROR: file or directory not found: tests/gone\n\n{banner('no tests ran in 0.12s')}",
            "ERROR: file or directory not found: tests/gone",
        ),
        (
            "ImportError while loading conftest '/repo/conftest.py'.\nconftest.py:1: in <module>\n    import shop\n"
            "E   ModuleNotFoundError: No module named 'shop'\n",
            "ImportError while loading conftest '/repo/conftest.py'. ModuleNotFoundError: No module named 'shop'",
        ),
        (
            "ERROR: while parsing the following warning configuration:\n\n  error::shop.Old\n\nThis error occurred:\n\n"
            'Traceback (most recent call last):\n  File "c.py", line 2, in f\n    __import__(module)\n'
            "ModuleNotFoundError: No module named 'shop'\n",
            "ERROR: while parsing the following warning configuration: error::shop.Old. "
            "ModuleNotFoundError: No module named 'shop'",
        ),
        (
            f"{banner('test session starts')}INTERNALERROR> Traceback (most recent call last):\n"
            'INTERNALERROR>   File "conftest.py", line 2, in f\nINTERNALERROR>     items[9]\n'
            f"INTERNALERROR> IndexError: list index out of range\n\n{banner('no tests ran')}",
            "IndexError: list index out of range",
        ),
        (
            'Traceback (most recent call last):\n  File "a.py", line 1, in f\n'
            "ModuleNotFoundError: No module named 'x'\n\n"
            "The above exception was the direct cause of the following exception:\n\n"
            'Traceback (most recent call last):\n  File "b.py", line 1, in g\n    raise\n'
            "django.core.exceptions.ImproperlyConfigured: SECRET_KEY is not set\n"
            "make: *** [Makefile:2: test] Error 1\n",
            "django.core.exceptions.ImproperlyConfigured: SECRET_KEY is not set",
        ),
        # Node
        (
            "node:internal/modules/cjs/loader:1210\n  throw err;\n  ^\n\nError: Cannot find module 'ts-node/register'\n"
            "Require stack:\n- /repo/x\n    at f (x:1:2) {\n  code: 'MODULE_NOT_FOUND',\n}\n\nNode.js v20.20.2\n",
            "Error: Cannot find module 'ts-node/register'",
        ),
        ("node: bad option: --nope\n", "node: bad option: --nope"),
        (
            "● Validation Error:\n\n  Module ts-jest in the transform option was not found.\n\n"
            "  Configuration Documentation:\n  https://jestjs.io/docs/configuration\n",
            "Validation Error: Module ts-jest in the transform option was not found",
        ),
        (
            "failed to load config from /repo/vitest.config.ts\n\n⎯⎯⎯⎯ Startup Error ⎯⎯⎯⎯\n"
            "Error: Cannot find package 'vite' imported from /repo/vitest.config.ts\n    at f (x:1:2)\n",
            "Error: Cannot find package 'vite' imported from /repo/vitest.config.ts",
        ),
        (
            "\x1b[31m MISSING DEPENDENCY  Cannot find dependency '@vitest/coverage-v8'\x1b[39m\n\n",
            "MISSING DEPENDENCY Cannot find dependency '@vitest/coverage-v8'",
        ),
        (
            'npm error Missing script: "test"\nnpm error\nnpm error To see a list of scripts, run:\n',
            'Missing script: "test"',
        ),
        # Go, Rust
        ("flag provided but not defined: -nope\nUsage of /tmp/x.test:\n", "flag provided but not defined: -nope"),
        (
            "go: downloading example.com/x v1.0.0\ngo: cannot find main module, but found .git/config in /repo\n"
            "\tto create a module there, run:\n\tgo mod init\n",
            "go: cannot find main module, but found .git/config in /repo",
        ),
        (
            "error: unexpected argument '--nope' found\n\n  tip: use '-- --nope'\n\nUsage: cargo test [TESTNAME]\n\n"
            "For more information, try '--help'.\n",
            "error: unexpected argument '--nope' found",
        ),
        (
            "     Running unittests src/lib.rs (target/debug/deps/x-b8)\nerror: Unrecognized option: 'nope'\n"
            "error: test failed, to rerun pass `--lib`\nerror: 1 target failed:\n    `--lib`\n",
            "error: Unrecognized option: 'nope'",
        ),
        # JVM
        (
            "[\x1b[1;31mERROR\x1b[m] The goal you specified requires a project, but there is no POM.\n"
            "[\x1b[1;31mERROR\x1b[m] \n[\x1b[1;31mERROR\x1b[m] Re-run Maven using the -X switch.\n",
            "The goal you specified requires a project, but there is no POM",
        ),
        (
            "\nFAILURE: Build failed with an exception.\n\n* What went wrong:\n"
            "Task 'tests' not found in root project 'x'.\n\n* Try:\n> Run gradlew tasks.\n",
            "* What went wrong: Task 'tests' not found in root project 'x'",
        ),
        # Ruby, PHP
        (
            "\nAn error occurred while loading ./spec/x_spec.rb.\nFailure/Error: require 'nope'\n\nLoadError:\n"
            "  cannot load such file -- nope\n# ./spec/x_spec.rb:1\n\n0 examples, 0 failures\n",
            "LoadError: cannot load such file -- nope",
        ),
        (
            "invalid option: --nope (defined in .rspec)\n\nPlease use --help for a listing of valid options\n",
            "invalid option: --nope (defined in .rspec)",
        ),
        ('PHPUnit 10.5.1 by Sebastian Bergmann.\n\nUnknown option "--nope"\n', 'Unknown option "--nope"'),
        (
            'PHP Fatal error:  Uncaught Error: Class "X" not found in /repo/x.php:3\nStack trace:\n#0 {main}\n',
            'PHP Fatal error: Uncaught Error: Class "X" not found in /repo/x.php:3',
        ),
        # nothing that states a cause
        ("rootdir: /repo\ncollected 0 items\n", ""),
        ("", ""),
    ],
)
def test_runner_states_cause(output, cause):
    assert failure_cause(output) == failure_cause(output.encode()) == cause


def test_cause_is_one_short_line_whatever_is_printed():
    text = failure_cause("error: \x1b[31m" + "x\u202e" * 100_000 + "\n" * 50_000 + "error: y")
    assert len(text) <= LONGEST
    assert "\u202e" not in text
    assert "\n" not in text


@pytest.mark.parametrize(("output", "line"), [("", ""), ("a\n b \n\n \n", "b"), (b"\xff\n", "\ufffd")])
def test_last_line_is_the_last_that_is_not_blank(output, line):
    assert last_line(output) == line
