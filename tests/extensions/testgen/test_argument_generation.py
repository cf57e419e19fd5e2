"""The private folder of Hypothesis while texts are drawn."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys, tempfile
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from extensions.testgen.argument_generation import draw_texts, strategy
assert draw_texts(strategy("str"), 5, seed=1)
folders = list(Path(tempfile.gettempdir()).glob("swe-agent-*/*/constants"))
assert [path.parent.stat().st_mode & 0o777 for path in folders] == [0o700], folders
"""


@pytest.mark.slow
def test_hypothesis_has_private_folder_that_is_removed(tmp_path: Path) -> None:
    """A folder or link of another user with a predictable name is neither read nor written."""
    temporary, other_user, current = (tmp_path / name for name in ("temporary", "theirs", "here"))
    for folder in (temporary, other_user, current):
        folder.mkdir()
    (temporary / "swe-agent-hypothesis").symlink_to(other_user)
    subprocess.run(
        [sys.executable, "-c", PROGRAM, str(Path(__file__).parents[3])],
        check=True, cwd=current, env={"TMPDIR": str(temporary), "PATH": "", "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert list(other_user.iterdir()) == []
    assert list(current.iterdir()) == []
    assert [path.name for path in temporary.iterdir()] == ["swe-agent-hypothesis"]
