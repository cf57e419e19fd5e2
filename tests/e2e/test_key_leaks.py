"""Values that lie in the user's environment and files appear nowhere in a run, whatever the agent does to get them."""

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
FOUND_THERE = ["canary4dddddddd", "canary5eeeeeeee", "canary6ffffffff", "canary7gggggggg"]
TRIES = (
    "env; export -p; set",
    "env > dump.txt; env | base64 > dump.b64; export -p | od -An -tx1 > dump.hex; ls -la ~",
    "cat ~/.netrc ~/.git-credentials ~/.aws/credentials ~/.gitconfig; cp ~/.netrc ~/.git-credentials . ; true",
    "printf 'protocol=https\\nhost=example.org\\n\\n' | git credential fill; git config --list --show-origin",
    "python3 -c 'import os, json; print(json.dumps(dict(os.environ)))'",
    "cat /proc/self/environ /proc/1/environ | tr '\\0' '\\n'; cat /proc/$PPID/environ | base64",
    "cat /proc/[0-9]*/environ | base64 -w0; cat /proc/[0-9]*/environ | xxd -p; cat /proc/[0-9]*/cmdline",
)
PROGRAM = (
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


def forms(value: str) -> set[bytes]:
    """The value as itself, and the parts of it that stand in any base64, percent-encoding or hex of it."""
    data = value.encode()
    coded = {b64encode(b"x" * shift + data)[4:-4] for shift in range(3)}
    coded |= {part.replace(b"+", b"-").replace(b"/", b"_") for part in coded}
    return {data, quote(value, safe="").encode(), data.hex().encode(), *coded}


def everything(run: Path) -> dict[str, bytes]:
    """All bytes of a run, its git objects unpacked."""
    files = {str(file): file.read_bytes() for file in run.rglob("*") if file.is_file()}
    objects = ["git", "--git-dir", str(run / "trees.git"), "cat-file", "--batch-all-objects", "--batch"]
    return files | {"objects": subprocess.run(objects, check=True, capture_output=True).stdout}


@pytest.fixture
def owner(machine, tmp_path):
    """A machine with secrets in each place where people have them."""
    machine.extra |= {**VALUES, "HOME": str(write(tmp_path / "user", IN_FILES))}
    return machine


@pytest.mark.slow
@pytest.mark.parametrize("workspace", KINDS)
def test_no_canary_is_in_any_file_of_run(owner, calculator, issue_file, workspace):
    owner.workspace = workspace
    git(calculator, "remote", "add", "origin", "https://me:canary8hhhhhhhh@example.org/x.git")
    pasted = "\n".join([VALUES["OPENAI_API_KEY"], b64encode(VALUES["MY_TOKEN"].encode()).decode()])
    Path(issue_file).write_text(f"# add() subtracts\n\nadd(2, 3) is -1. My environment:\n\n{pasted}\n")
    looks = [call("shell", command=command) for command in (*TRIES, f"python3 - <<'END'\n{PROGRAM}END\ngit remote -v")]
    mends = [
        call("edit", path="tests/test_core.py", old="", new=TEST_CORE),
        call("edit", path="calc/core.py", old="return a - b", new="return a + b"),
        call("shell", command="python3 -c 'import os; raise SystemExit(str(dict(os.environ)))'"),
        call("run_tests"),
        call("submit"),
    ]
    script = owner.script(answer("Look.", *looks, n=1), answer("Mend.", *mends))
    done = owner.run("fix", "--repo", calculator, "--issue-file", issue_file, "--model", script, "--plain")
    (run,) = owner.runs()
    shown = owner.run("show", run.name)
    told = {"stdout": done.stdout, "stderr": done.stderr, "show": shown.stdout}
    files = everything(run) | {name: text.encode() for name, text in told.items()}
    assert b"tests/test_core.py" in files["stdout"], done.stderr
    assert b"dump.txt" in files["objects"] or b"LANG=C" in files["objects"], "the agent did leave its environment"
    for value in (*VALUES.values(), *FOUND_THERE, "canary8hhhhhhhh"):
        for form in forms(value):
            leaks = [name for name, content in files.items() if form in content]
            assert not leaks, (value, form)
