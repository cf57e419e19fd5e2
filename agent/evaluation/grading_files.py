"""How a prediction and an instance's tests get into a workspace."""

from __future__ import annotations

import re
import shlex

from aci.workspace import Workspace

_APPLY = ("git apply --verbose", "patch --batch --fuzz=5 -p1 -i", "git apply --verbose -C1")
"""The ways of SWE-bench's harness, each on clean files, and one for images without `patch`. Its own third, `git apply
--reject`, never succeeds where the first does not, and what it leaves behind `patch` may take back."""
_FILES = re.compile(r'^diff --git (a/.+?|"a/.+?") (b/.+|"b/.+")$', re.MULTILINE)
_ESCAPE = re.compile(rb'\\([0-7]{3}|[abtnvfr"\\])')
_ESCAPED = dict(zip(b'abtnvfr"\\', b'\a\b\t\n\v\f\r"\\', strict=True))
_END = "END_OF_THE_TEST_PATCH"
START, STOP = ">>>>> Start Test Output", ">>>>> End Test Output"
"""Between them lie the tests' words; SWE-bench's log parsers ask for these."""
NOT_APPLIED = 97


def apply(workspace: Workspace, patch: str, clean: str) -> tuple[bool, str]:
    """Whether the patch applies to the workspace's files, the tree `clean`, and what was said. An empty one does."""
    if not patch.strip():
        return True, ""
    place, said = f"{workspace.harness}/patch.diff", ""
    try:
        workspace.write(place, patch.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError as error:
        line = patch.count("\n", 0, error.start) + 1
        return False, f"Line {line} of the patch holds half a character, \\u{ord(patch[error.start]):04x}.\n"
    for command in _APPLY:
        ran = workspace.run(f"cd {shlex.quote(workspace.root)} && {command} {shlex.quote(place)}")
        said += f"$ {command}\n{ran.text}"
        if ran.code == 0:
            return True, said
        workspace.restore(clean)
    return False, said


def files(patch: str) -> tuple[str, ...]:
    """The files that a patch makes, changes or removes, by the names they have afterwards."""
    return tuple(dict.fromkeys(_name(new) for _, new in _FILES.findall(patch)))


def _name(written: str) -> str:
    """A file's name without a/ or b/ before it, as git writes it: in quotes and escaped where it is out of the way."""
    if not written.startswith('"'):
        return written[2:]
    quoted = written[3:-1].encode("utf-8", "surrogateescape")
    return _ESCAPE.sub(_unescaped, quoted).decode("utf-8", "surrogateescape")


def _unescaped(escape: re.Match[bytes]) -> bytes:
    code = escape[1]
    return bytes([int(code, 8) & 255 if len(code) == 3 else _ESCAPED[code[0]]])


def put_tests(commit: str, patch: str) -> str:
    """Shell lines that put the test patch's files in the repository, whatever a prediction did to them."""
    if not patch.strip():
        return ""
    names = dict.fromkeys(_name(name) for pair in _FILES.findall(patch) for name in pair)
    quoted = " ".join(map(shlex.quote, names))
    return (
        f"for file in {quoted}; do\n"
        f'    rm -rf -- "$file"; git checkout -q {commit} -- "$file" 2>/dev/null\n'
        "done\n"
        f"git apply -v - <<'{_END}' || exit {NOT_APPLIED}\n{patch.rstrip(chr(10))}\n{_END}\n"
    )
