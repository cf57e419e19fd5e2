"""Application of a prediction and of an instance's tests to a workspace."""

from __future__ import annotations

import re
import shlex

from aci.repository.patch import decoded_patch
from aci.runtime.workspace import Workspace

_APPLY = ("git apply --verbose", "patch --batch --fuzz=5 -p1 -i", "git apply --verbose -C1")
"""The commands with which SWE-bench's harness applies a patch, each tried on clean files, and an additional one for
images without `patch`. The harness's third command, `git apply --reject`, is omitted: it never succeeds if the first
command fails, and `patch` may revert the changes that it leaves behind."""
_FILES = re.compile(r'^diff --git (a/.+?|"a/.+?") (b/.+|"b/.+")$', re.MULTILINE)
_ESCAPE = re.compile(rb'\\([0-7]{3}|[abtnvfr"\\])')
_ESCAPED = dict(zip(b'abtnvfr"\\', b'\a\b\t\n\v\f\r"\\', strict=True))
_END = "END_OF_THE_TEST_PATCH"
START, STOP = ">>>>> Start Test Output", ">>>>> End Test Output"
"""Markers around the tests' output, which SWE-bench's log parsers require."""
NOT_APPLIED = 97


def apply(workspace: Workspace, patch: str, clean: str) -> tuple[bool, str]:
    """Apply the patch to the workspace, whose files are those of the tree `clean`; return whether it applies, and the
    commands' output.

    An empty patch always applies. Grades must be those of SWE-bench's harness, so the commands get the patch as it is:
    they read CRLF and a missing last newline by themselves, and refuse names without prefixes. Only a text in which no
    command finds a diff is decoded.
    """
    if not patch.strip():
        return True, ""
    place, said = f"{workspace.harness}/patch.diff", ""
    try:
        workspace.write(place, decoded_patch(patch).encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError as error:
        line = patch.count("\n", 0, error.start) + 1
        return False, f"Line {line} of the patch has a lone surrogate, \\u{ord(patch[error.start]):04x}.\n"
    for command in _APPLY:
        ran = workspace.run(f"cd {shlex.quote(workspace.root)} && {command} {shlex.quote(place)}")
        said += f"$ {command}\n{ran.text}"
        if ran.code == 0:
            return True, said
        workspace.restore(clean)
    return False, said


def files(patch: str) -> tuple[str, ...]:
    """Return the files that a patch adds, changes or removes, by their new names."""
    return tuple(dict.fromkeys(_name(new) for _, new in _FILES.findall(patch)))


def _name(written: str) -> str:
    """Return a file name from a diff header, without the prefix a/ or b/ and without git's quoting."""
    if not written.startswith('"'):
        return written[2:]
    quoted = written[3:-1].encode("utf-8", "surrogateescape")
    return _ESCAPE.sub(_unescaped, quoted).decode("utf-8", "surrogateescape")


def _unescaped(escape: re.Match[bytes]) -> bytes:
    code = escape[1]
    return bytes([int(code, 8) & 255 if len(code) == 3 else _ESCAPED[code[0]]])


def test_patch_script(commit: str, patch: str) -> str:
    """Return shell lines that restore the files of the test patch, which a prediction may have changed, and apply the
    test patch."""
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
