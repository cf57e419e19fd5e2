"""The demo: `swe-agent fix` without a key on an example, in Docker where that can be had, else on this machine.

    python scripts/demo.py [invoices|textreport|planner] [flags of `swe-agent fix`]

The example is copied to a repository of its own in a temporary folder, which is left there to look at.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HOUSE = Path(__file__).resolve().parent.parent
PUBLIC = "python:3.12"


def succeeds(*command: str, within: float = 30) -> bool:
    """Whether a command ends with 0 within so many seconds."""
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=within).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def image() -> str:
    """An image that Docker has, can pull in a minute, or can be made from Debian's packages; empty if there is none."""
    named = os.environ.get("SWE_AGENT_IMAGE")
    for name in [named] if named else ["swe-agent-base:latest", PUBLIC]:
        if succeeds("docker", "image", "inspect", name):
            return name
    wanted = named or PUBLIC
    print(f"Docker has no image yet: pulling {wanted} …", flush=True)
    if succeeds("docker", "pull", "--quiet", wanted, within=90):
        return wanted
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("It cannot be pulled: building a small one from Debian's packages …", flush=True)
        if succeeds(str(HOUSE / "scripts" / "base-image"), within=600):
            return "swe-agent-base:latest"
    return ""


def workspace() -> list[str]:
    """The flags that say where the work is done, chosen from what this machine has."""
    if not succeeds("docker", "version", "--format", "{{.Server.Version}}"):
        print("No Docker daemon answers: working in a clone on this machine instead (--workspace local).")
        return ["--workspace", "local"]
    if name := image():
        print(f"Docker answers: working in a container of {name}.")
        return ["--workspace", "docker", "--image", name]
    print("Docker answers but no image can be had: working in a clone on this machine instead (--workspace local).")
    return ["--workspace", "local"]


def repository(example: Path, folder: Path) -> Path:
    """The example as a git repository with one commit, without its issue."""
    root = folder / example.name
    shutil.copytree(example, root, ignore=shutil.ignore_patterns("ISSUE.md", "__pycache__", ".pytest_cache"))
    git = ("git", "-C", str(root), "-c", "user.name=Demo", "-c", "user.email=demo@example.org")
    for command in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--no-gpg-sign", "-m", "Import")):
        subprocess.run([*git, *command], check=True)
    return root


def main() -> int:
    flags = sys.argv[1:]
    name = flags.pop(0) if flags and not flags[0].startswith("-") else "invoices"
    example = HOUSE / "examples" / name
    if not (example / "ISSUE.md").is_file():
        known = ", ".join(sorted(issue.parent.name for issue in (HOUSE / "examples").glob("*/ISSUE.md")))
        print(f"demo: there is no example {name!r}; choose one of {known}.", file=sys.stderr)
        return 2
    root = repository(example, Path(tempfile.mkdtemp(prefix="swe-agent-demo-")))
    swe_agent = Path(sys.executable).with_name("swe-agent")
    command = [str(swe_agent), "fix", "--repo", str(root), "--issue-file", str(example / "ISSUE.md"), *workspace()]
    print("$", " ".join(["swe-agent", *command[1:], *flags]), flush=True)
    return subprocess.run([*command, *flags], stdin=subprocess.DEVNULL).returncode


if __name__ == "__main__":
    sys.exit(main())
