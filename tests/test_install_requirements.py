"""The set-up's list of packages to install."""

from __future__ import annotations

from importlib.metadata import version
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

pytest.importorskip("pip", reason="uv's environments have no pip, and do not need the script")

ROOT = Path(__file__).resolve().parent.parent
spec = spec_from_file_location("install_requirements", ROOT / "scripts" / "install_requirements.py")
assert spec
assert spec.loader
script = module_from_spec(spec)
spec.loader.exec_module(script)

HASH = f"    --hash=sha256:{'0' * 64}"


def test_only_packages_that_this_python_lacks_are_installed(tmp_path: Path) -> None:
    entries = {
        "present": f"pytest[dev]=={version('pytest')} \\\n{HASH}",
        "other version": f"pytest==0.1 \\\n{HASH} \\\n{HASH}",
        "absent": f"No_such.package==1.0 ; python_version >= '3.11' \\\n{HASH}",
        "other system": f"No_such.package==1.0 ; sys_platform == 'plan9' \\\n{HASH}",
    }
    lock = tmp_path / "requirements.lock"
    lock.write_text("# made by a command\n" + "\n".join(entries.values()) + "\n", "utf-8")
    missing = [entry.strip() for entry in script.missing_entries(lock)]
    assert missing == [entries["other version"], entries["absent"]]
