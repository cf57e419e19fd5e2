"""Where Hypothesis keeps its files while texts are drawn."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys, tempfile
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from aci.testgen.argument_generation import draw_texts, strategy
assert draw_texts(strategy("str"), 5, seed=1)
made = list(Path(tempfile.gettempdir()).glob("swe-agent-*/constants"))
assert [path.parent.stat().st_mode & 0o777 for path in made] == [0o700], made
"""


def test_hypothesis_has_private_folder_that_is_removed(tmp_path: Path) -> None:
    """Another user's folder or link of a name that can be guessed is neither read nor written."""
    temporary, theirs, here = (tmp_path / name for name in ("temporary", "theirs", "here"))
    for folder in (temporary, theirs, here):
        folder.mkdir()
    (temporary / "swe-agent-hypothesis").symlink_to(theirs)
    subprocess.run(
        [sys.executable, "-c", PROGRAM, str(Path(__file__).parents[3])],
        check=True, cwd=here, env={"TMPDIR": str(temporary), "PATH": "", "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert list(theirs.iterdir()) == []
    assert list(here.iterdir()) == []
    assert [path.name for path in temporary.iterdir()] == ["swe-agent-hypothesis"]
