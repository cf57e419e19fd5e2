"""Builds the wheel and the source distribution in `dist/`, and checks them as a user would.

    .venv/bin/python scripts/dist.py [build|check]    both without an argument

Each file is installed in an environment that holds only the locked requirements, and the installed command fixes an
example outside the checkout. `VENV` names an environment to use for that; by default a temporary one is set up.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from email.parser import BytesParser
from pathlib import Path

from demo import ROOT, create_repository, workspace_flags
from packaging.metadata import Metadata

DIST = ROOT / "dist"
EXAMPLE = ROOT / "examples" / "textreport"
PIP = ("-m", "pip", "--quiet", "--disable-pip-version-check")


def run(*command: str | Path, cwd: Path = ROOT) -> None:
    """Run a command that sees no module of the checkout. Ends the program if it fails."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    print("$", " ".join(map(str, command)), flush=True)
    if code := subprocess.run(command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL).returncode:
        sys.exit(f"dist: the command above ended with exit code {code}.")


def built_files() -> list[Path]:
    """Return the wheel and the source distribution."""
    found = sorted(DIST.glob("*.whl")) + sorted(DIST.glob("*.tar.gz"))
    if [file.name.endswith(".whl") for file in found] != [True, False]:
        sys.exit(f"dist: {DIST} must hold one wheel and one source distribution; run `make dist`.")
    return found


def metadata_of(file: Path) -> bytes:
    if file.suffix == ".whl":
        with zipfile.ZipFile(file) as wheel:
            return next(wheel.read(name) for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    with tarfile.open(file) as archive:
        member = archive.extractfile(f"{file.name.removesuffix('.tar.gz')}/PKG-INFO")
        assert member
        return member.read()


def build() -> None:
    shutil.rmtree(DIST, ignore_errors=True)
    run(sys.executable, "-m", "hatchling", "build", "-d", DIST)
    for file in built_files():
        metadata = Metadata.from_email(metadata_of(file), validate=True)
        assert BytesParser().parsebytes(metadata_of(file)).get_payload(), "the README is the description"
        print(f"{file.name}: version {metadata.version}, {file.stat().st_size / 1e6:.1f} MB")


def check() -> None:
    with tempfile.TemporaryDirectory(prefix="swe-agent-dist-") as name:
        folder = Path(name)
        venv = Path(os.environ.setdefault("VENV", str(folder / "venv"))).absolute()
        run(ROOT / "scripts" / "setup", "run")
        python, command = venv / "bin" / "python", venv / "bin" / "swe-agent"
        for file in built_files():
            # A wheel must not need a builder; a source distribution gets one from the index.
            run(python, *PIP, "install", "--no-deps", "--force-reinstall", file, cwd=folder)
            run(command, "--version", cwd=folder)
            root = create_repository(EXAMPLE, Path(tempfile.mkdtemp(dir=folder)))
            issue = root.with_suffix(".md")
            shutil.copy(EXAMPLE / "ISSUE.md", issue)
            run(command, "fix", "--repo", root, "--issue-file", issue, *workspace_flags(), cwd=folder)
            run(python, *PIP, "uninstall", "--yes", "swe-agent", cwd=folder)


def main() -> int:
    steps = {"build": [build], "check": [check], "": [build, check]}.get("".join(sys.argv[1:]))
    if steps is None:
        print("dist: unknown argument; give build, check or nothing.", file=sys.stderr)
        return 2
    for step in steps:
        step()
    return 0


if __name__ == "__main__":
    sys.exit(main())
