"""Kinds of output, determined by the command and by the format of the lines."""

from __future__ import annotations

import pytest

from aci.observation.output_kinds import kind_of, kind_of_command

PATHS = "\n".join(f"src/pkg/module_{n}.py" for n in range(40))
MATCHES = "\n".join(f"src/pkg/a.py:{n}:    return x" for n in range(1, 40))
LONG = "total 8\n" + "\n".join(f"-rw-r--r-- 1 root root {n} Nov 20 10:00 file{n}.py" for n in range(9))
COLUMNS = "pkg:\nAUTHORS  README.rst\tsetup.py\nbin  data  doc\n\npkg/bin:\nrun  stop  test\n"
CODE = "\n".join(f"    value_{n} = compute({n}, 'a b')" for n in range(30))
PYTEST = "..F.\n==== short test summary info ====\nFAILED t.py::a - assert 1\n==== 1 failed, 3 passed in 0.12s ====\n"
GO = "--- FAIL: TestAdd (0.00s)\n    add_test.go:9: got 3\nFAIL\nFAIL\texample.com/add\t0.002s\n"


@pytest.mark.parametrize(
    ("command", "output", "kind"),
    [
        ("ls -R", COLUMNS, "listing"),
        ("cd /repo && ls -la src", LONG, "listing"),
        ("find . -name '*.py' | head -50", PATHS, "listing"),
        ("git ls-files | sort", PATHS, "listing"),
        ("git -C sub ls-files", PATHS, "listing"),
        ("tree -L 2 2>/dev/null || find . -maxdepth 2", PATHS, "listing"),
        ("find . | grep module", PATHS, "search"),
        ("grep -rl x .", PATHS, "search"),
        ("grep -rn x . | head -20", MATCHES, "search"),
        ("find . -name '*.py' | xargs grep -n x", MATCHES, "search"),
        ("find . -name '*.py' -exec grep -n x {} +", MATCHES, "search"),
        ("PAGER=cat git grep -n x", MATCHES, "search"),
        ("timeout 5 rg -n 'a|b' src", MATCHES, "search"),
        ("cat a.py | grep -n x", MATCHES, "search"),
        ("cat a.py", CODE, "view"),
        ("cd src; sed -n '1,40p' a.py", CODE, "view"),
        ("nl -ba a.py | sed -n '10,20p'", CODE, "view"),
        ("grep -n 'def f' -A 40 a.py", CODE, "view"),
        ("find . -name a.py -exec cat {} \\;", CODE, "view"),
        ("cat <<'EOF' > new.py\nls -R\nEOF\ncat new.py", CODE, "view"),
        ("# look around\nls src\n", PATHS, "listing"),
        ("sed -i 's/a/b/' a.py", CODE, "other"),
        ("python script.py", CODE, "other"),
        ("python script.py > out.txt; cat out.txt", CODE, "view"),
        ("python list_files.py", PATHS, "listing"),
        ("./lint", MATCHES, "search"),
        ("pytest -q", PYTEST, "tests"),
        ("make check", GO, "tests"),
        ("python -m pytest -q 2>&1 | tail -20", PYTEST, "tests"),
        ("ls missing", "ls: cannot access 'missing': No such file or directory", "other"),
        ("echo 'unclosed", CODE, "other"),
        ("", "", "other"),
    ],
)
def test_output_has_expected_kind(command: str, output: str, kind: str) -> None:
    assert kind_of(command, output.encode()) == kind


def test_kind_is_determined_from_command_alone() -> None:
    assert kind_of_command("cat a.py") == "view"
    assert kind_of_command("cat a.py > b.py") == "other"
    assert kind_of_command("ls; python x.py") == "other"


def test_both_ends_of_huge_output_are_examined() -> None:
    output = b"x = 1 # no test\n" * 100_000 + PYTEST.encode()
    assert kind_of("make", output) == "tests"


def test_here_documents_of_any_length_are_skipped() -> None:
    assert kind_of_command("<<A\n" * 100_000) == "other"
    assert kind_of_command("cat <<A > x\n" + "ls 'y\n" * 2_000 + "A\ncat x") == "view"
    assert kind_of_command("cat > x <<A; ls\nunclosed '") == "listing"
    assert kind_of_command("cat <<A > x <<B\na '\nA\nb '\nB\nls") == "listing"
