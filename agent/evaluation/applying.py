"""How a prediction and an instance's tests get into a workspace."""

from __future__ import annotations

import re
import shlex

from aci.workspace import Workspace

_APPLY = ("git apply --verbose", "patch --batch --fuzz=5 -p1 -i", "git apply --verbose -C1")
"""The ways of SWE-bench's harness, each on clean files, and one for images without `patch`. Its own third, `git apply
--reject`, never succeeds where the first does not, and what it leaves behind `patch` may take back."""
_FILES = re.compile(r"^diff --git a/(.+?) b/(.+)$", re.MULTILINE)
_END = "END_OF_THE_TEST_PATCH"
START, STOP = ">>>>> Start Test Output", ">>>>> End Test Output"
"""Between them lie the tests' words; SWE-bench's log parsers ask for these."""
NOT_APPLIED = 97


def apply(workspace: Workspace, patch: str, clean: str) -> tuple[bool, str]:
    """Whether the patch applies to the workspace's files, the tree `clean`, and what was said. An empty one does."""
    if not patch.strip():
        return True, ""
    place = f"{workspace.harness}/patch.diff"
    workspace.write(place, patch.encode("utf-8", "surrogateescape"))
    said = ""
    for command in _APPLY:
        ran = workspace.run(f"cd {shlex.quote(workspace.root)} && {command} {shlex.quote(place)}")
        said += f"$ {command}\n{ran.text}"
        if ran.code == 0:
            return True, said
        workspace.restore(clean)
    return False, said


def files(patch: str) -> tuple[str, ...]:
    """The files that a patch makes, changes or removes, by the names they have afterwards."""
    return tuple(dict.fromkeys(new for _, new in _FILES.findall(patch)))


def put_tests(commit: str, patch: str) -> str:
    """Shell lines that put the test patch's files in the repository, whatever a prediction did to them."""
    if not patch.strip():
        return ""
    names = dict.fromkeys(name for pair in _FILES.findall(patch) for name in pair)
    quoted = " ".join(map(shlex.quote, names))
    return (
        f"for file in {quoted}; do\n"
        f'    rm -rf -- "$file"; git checkout -q {commit} -- "$file" 2>/dev/null\n'
        "done\n"
        f"git apply -v - <<'{_END}' || exit {NOT_APPLIED}\n{patch.rstrip(chr(10))}\n{_END}\n"
    )
