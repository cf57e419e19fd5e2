"""Demo: runs `swe-agent fix` on an example without an API key, in Docker if available, else on this machine.

The examiner's tests are recorded in the example's `examiner.jsonl`: a model wrote them from the issue and the code
before the fix, without seeing a patch.

    python scripts/demo.py [invoices|textreport|planner] [flags of `swe-agent fix`]

The example is copied to a new repository in a temporary folder, which is not removed afterwards.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PUBLIC_IMAGE = "python:3.12"


def succeeds(*command: str, timeout: float = 30) -> bool:
    """Return whether a command exits with 0 within `timeout` seconds."""
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def find_image() -> str:
    """Return an image that Docker has, can pull quickly, or that can be built from Debian packages, else ""."""
    configured = os.environ.get("SWE_AGENT_IMAGE")
    for name in [configured] if configured else ["swe-agent-base:latest", PUBLIC_IMAGE]:
        if succeeds("docker", "image", "inspect", name):
            return name
    wanted = configured or PUBLIC_IMAGE
    print(f"Docker has no image yet: pulling {wanted} …", flush=True)
    if succeeds("docker", "pull", "--quiet", wanted, timeout=90):
        return wanted
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("The image cannot be pulled: building a small one from Debian packages …", flush=True)
        if succeeds(str(ROOT / "scripts" / "base-image"), timeout=600):
            return "swe-agent-base:latest"
    return ""


def workspace_flags() -> list[str]:
    """Return the flags that select the workspace: Docker if this machine has it, else a local clone."""
    if not succeeds("docker", "version", "--format", "{{.Server.Version}}"):
        print("Docker is not available: working in a clone on this machine instead (--workspace local).")
        return ["--workspace", "local"]
    if name := find_image():
        print(f"Docker is available: working in a container of {name}.")
        return ["--workspace", "docker", "--image", name]
    print("Docker is available but no image was found: working in a clone on this machine instead (--workspace local).")
    return ["--workspace", "local"]


def create_repository(example: Path, folder: Path) -> Path:
    """Create a git repository with one commit from the example, without its issue."""
    root = folder / example.name
    others = shutil.ignore_patterns("ISSUE.md", "examiner.jsonl", "__pycache__", ".pytest_cache")
    shutil.copytree(example, root, ignore=others)
    git = ("git", "-C", str(root), "-c", "user.name=Demo", "-c", "user.email=demo@example.org")
    # without the user's hooks, signatures and conversions
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    for command in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "-m", "Import")):
        subprocess.run([*git, *command], check=True, env=environment)
    return root


def main() -> int:
    flags = sys.argv[1:]
    name = flags.pop(0) if flags and not flags[0].startswith("-") else "invoices"
    example = ROOT / "examples" / name
    if not (example / "ISSUE.md").is_file():
        known = ", ".join(sorted(issue.parent.name for issue in (ROOT / "examples").glob("*/ISSUE.md")))
        print(f"demo: there is no example {name!r}; choose one of {known}.", file=sys.stderr)
        return 2
    root = create_repository(example, Path(tempfile.mkdtemp(prefix="swe-agent-demo-")))
    arguments = ["fix", "--repo", str(root), "--issue-file", str(example / "ISSUE.md"), *workspace_flags(), *flags]
    print("$", " ".join(["swe-agent", *arguments]), flush=True)
    # From the checkout: `make demo` installs what the program needs, but not the program.
    command = [sys.executable, str(ROOT / "swe_agent"), *arguments]
    roles = {"examiner": f"scripted:{example / 'examiner.jsonl'}"}
    environment = {"SWE_AGENT_ROLES": json.dumps(roles)} | os.environ
    return subprocess.run(command, stdin=subprocess.DEVNULL, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
