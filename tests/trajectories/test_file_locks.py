"""A lock that a program still holds at its end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from trajectories.errors import TryLater
from trajectories.file_limits import acquire_lock

SCRIPT = """
import sys
from pathlib import Path
from trajectories.file_limits import acquire_lock

lock = acquire_lock(Path(sys.argv[1]), "It is in use.", "Wait.")
if sys.argv[2] == "released":
    lock.release()
import __main__, filelock
sys.kept = [__main__, *(sys.modules[name] for name in sys.argv[3:])]  # other modules are cleared, not deleted
"""


@pytest.mark.parametrize("state", ["held", "released"])
@pytest.mark.parametrize("kept", [(), ("filelock._api",), ("filelock._api", "filelock", "trajectories.file_limits")])
def test_lock_that_is_left_at_exit_prints_nothing(state: str, kept: tuple[str, ...], tmp_path: Path) -> None:
    words = [sys.executable, "-c", SCRIPT, str(tmp_path / "lock"), state, *kept]
    ended = subprocess.run(words, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    acquire_lock(tmp_path / "lock", "It is in use.", "Wait.").release()


def test_dropped_lock_is_released(tmp_path: Path) -> None:
    lock = acquire_lock(tmp_path / "lock", "It is in use.", "Wait.")
    with pytest.raises(TryLater, match="in use"):
        acquire_lock(tmp_path / "lock", "It is in use.", "Wait.")
    del lock
    acquire_lock(tmp_path / "lock", "It is in use.", "Wait.").release()
