"""Secrets from the user's environment and files appear nowhere in a run, whatever the agent does to get them."""

from __future__ import annotations

import subprocess
from base64 import b64encode
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.conftest import git
from tests.e2e.conftest import TEST_CORE, answer, call, write

KINDS = ["local", pytest.param("docker", marks=pytest.mark.docker)]
VALUES = {
    "OPENAI_API_KEY": "sk-proj-canary0aaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "AWS_SECRET_ACCESS_KEY": "canary1/bbbb+bbbbbbbbbbbbbbbbbbbbbbbbbbb",
    "MY_TOKEN": "canary2-c3f1:9d&2e",
    "DATABASE_PASSWORD": "canary3 with a space",
}
IN_FILES = {
    ".netrc": "machine example.org login me password canary4dddddddd\n",
    ".git-credentials": "https://me:canary5eeeeeeee@example.org\n",
    ".aws/credentials": "[default]\naws_secret_access_key = canary6ffffffff\n",
    ".gitconfig": '[credential]\n\thelper = store\n[http "https://example.org"]\n\textraHeader = X: canary7gggggggg\n',
}
VALUES_IN_FILES = ["canary4dddddddd", "canary5eeeeeeee", "canary6ffffffff", "canary7gggggggg"]
LEAK_COMMANDS = (
    "env; export -p; set",
    "env > dump.txt; env | base64 > dump.b64; export -p | od -An -tx1 > dump.hex; ls -la ~",
    "cat ~/.netrc ~/.git-credentials ~/.aws/credentials ~/.gitconfig; cp ~/.netrc ~/.git-credentials . ; true",
    "printf 'protocol=https\\nhost=example.org\\n\\n' | git credential fill; git config --list --show-origin",
    "python3 -c 'import os, json; print(json.dumps(dict(os.environ)))'",
    "cat /proc/self/environ /proc/1/environ | tr '\\0' '\\n'; cat /proc/$PPID/environ | base64",
    "cat /proc/[0-9]*/environ | base64 -w0; cat /proc/[0-9]*/environ | xxd -p; cat /proc/[0-9]*/cmdline",
)
LEAK_PROGRAM = (
    "import base64, glob, urllib.parse as u\n"
    "for name in glob.glob('/proc/[0-9]*/environ'):\n"
    "    try: text = open(name, 'rb').read()\n"
    "    except OSError: continue\n"
    "    for part in text.split(b'\\0'):\n"
    "        if b'canary' in part:\n"
    "            value = part.partition(b'=')[2]\n"
    "            for shift in b'', b'x', b'xx': print(base64.b64encode(shift + value))\n"
    "            print(base64.urlsafe_b64encode(value))\n"
    "            print(u.quote(value), u.quote_plus(value, safe=''), value.hex(), base64.encodebytes(value * 3))\n"
)


def encoded_forms(value: str) -> set[bytes]:
    """The value itself, and the parts of it that occur in any base64, percent-encoding or hex of it."""
    data = value.encode()
    encoded = {b64encode(b"x" * shift + data)[4:-4] for shift in range(3)}
    encoded |= {part.replace(b"+", b"-").replace(b"/", b"_") for part in encoded}
    return {data, quote(value, safe="").encode(), data.hex().encode(), *encoded}


def all_files(run: Path) -> dict[str, bytes]:
    """All bytes of a run, its git objects unpacked."""
    files = {str(file): file.read_bytes() for file in run.rglob("*") if file.is_file()}
    objects = ["git", "--git-dir", str(run / "trees.git"), "cat-file", "--batch-all-objects", "--batch"]
    return files | {"objects": subprocess.run(objects, check=True, capture_output=True).stdout}


@pytest.fixture
def owner(machine, tmp_path):
    """A machine with secrets in all usual places."""
    machine.extra |= {**VALUES, "HOME": str(write(tmp_path / "user", IN_FILES))}
    return machine


@pytest.mark.slow
@pytest.mark.parametrize("workspace", KINDS)
def test_run_contains_no_secret_of_user(owner, calculator, issue_file, workspace):
    owner.workspace = workspace
    git(calculator, "remote", "add", "origin", "https://me:canary8hhhhhhhh@example.org/x.git")
    pasted = "\n".join([VALUES["OPENAI_API_KEY"], b64encode(VALUES["MY_TOKEN"].encode()).decode()])
    Path(issue_file).write_text(f"# add() subtracts\n\nadd(2, 3) is -1. My environment:\n\n{pasted}\n")
    attempts = [
        call("shell", command=command)
        for command in (*LEAK_COMMANDS, f"python3 - <<'END'\n{LEAK_PROGRAM}END\ngit remote -v")
    ]
    fixes = [
        call("edit", path="tests/test_core.py", old="", new=TEST_CORE),
        call("edit", path="calc/core.py", old="return a - b", new="return a + b"),
        call("shell", command="python3 -c 'import os; raise SystemExit(str(dict(os.environ)))'"),
        call("run_tests"),
        call("submit"),
    ]
    script = owner.script(answer("Look.", *attempts, n=1), answer("Fix.", *fixes))
    completed = owner.run("fix", "--repo", calculator, "--issue-file", issue_file, "--model", script, "--plain")
    (run,) = owner.runs()
    show_completed = owner.run("show", run.name)
    outputs = {"stdout": completed.stdout, "stderr": completed.stderr, "show": show_completed.stdout}
    files = all_files(run) | {name: text.encode() for name, text in outputs.items()}
    assert b"tests/test_core.py" in files["stdout"], completed.stderr
    assert b"dump.txt" in files["objects"] or b"LANG=C" in files["objects"], "the agent wrote its environment"
    for value in (*VALUES.values(), *VALUES_IN_FILES, "canary8hhhhhhhh"):
        for form in encoded_forms(value):
            leaks = [name for name, content in files.items() if form in content]
            assert not leaks, (value, form)
