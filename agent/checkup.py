"""What `doctor` looks at. Each check answers with what it found and, where something is wrong, how to mend it."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from agent.settings import Settings
from trajectories.errors import WorkspaceError

LEAST_GIT = (2, 36)
LEAST_DISK = 2.0
"""GiB: a base image layer, a store of trees, and room for tests."""


@dataclass(frozen=True, slots=True)
class Finding:
    name: str
    ok: bool
    found: str
    fix: str = ""


def checkup(settings: Settings) -> list[Finding]:
    """Everything a run stands on, in the order it is needed."""
    findings = [_system(), _git(), _state(settings.state)]
    if settings.workspace == "docker":
        findings += _docker(settings.image)
    return findings


def _system() -> Finding:
    name = platform.system()
    return Finding(
        "system", name in ("Linux", "Darwin"), name, "Use Linux or macOS; on Windows install WSL2 and run inside it."
    )


def _git() -> Finding:
    fix = f"Install git {'.'.join(map(str, LEAST_GIT))} or newer."
    try:
        said = subprocess.run(
            ["git", "--version"], capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return Finding("git", False, "not found", fix)
    version = tuple(int(part) for part in re.findall(r"\d+", said)[:2])
    return Finding("git", version >= LEAST_GIT, said, fix)


def _state(state: Path) -> Finding:
    folder = next(parent for parent in (state, *state.parents) if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        return Finding("disk", False, f"{folder} cannot be written", "Set SWE_AGENT_STATE to a folder of yours.")
    free = shutil.disk_usage(folder).free / 2**30
    return Finding(
        "disk", free >= LEAST_DISK, f"{free:.1f} GiB free for {state}", f"Make at least {LEAST_DISK:g} GiB free."
    )


def _docker(image: str) -> list[Finding]:
    from docker.errors import DockerException, ImageNotFound

    from aci.daemon import connect

    try:
        daemon = connect()
    except WorkspaceError as error:
        fix = "Install and start Docker (on Debian: apt install docker.io), or use --workspace local."
        return [Finding("docker", False, error.message, fix)]
    findings = [Finding("docker", True, f"daemon {daemon.client.version()['Version']} at {daemon.address}")]
    try:
        daemon.client.images.get(image)
        findings.append(Finding("image", True, f"{image} is here"))
    except ImageNotFound:
        findings.append(Finding("image", True, f"{image} is not here yet; `fix` pulls it"))
    except DockerException as error:
        findings.append(Finding("image", False, str(error).splitlines()[0][:120], "Name another with --image."))
    finally:
        daemon.client.close()
    return findings
