"""The image of tests that need a browser in a workspace, made without network from `scripts/base-image web`."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

from filelock import FileLock

from aci.runtime.guest_programs import program_source
from extensions.pages.browser_setup import FOLDER, PROGRAM, VARIABLES

WEB_IMAGE = "swe-agent-web:latest"
PYTHON_PACKAGES = "usr/local/lib/python3.11/dist-packages"
_SET_UP = f"ln -s {FOLDER} /{PYTHON_PACKAGES}/playwright/driver; cd {FOLDER} && exec sh set_up.sh {FOLDER}"


def make_browser_image() -> str:
    """Return the name of the image, which is built if it does not exist; "" if Docker has no image to start from.

    It has the Node and the Playwright of the Python package installed here, also for the image's own Python, as if
    set-up had fetched them. Then the program of set-up ran.
    """
    start = _docker("image", "inspect", "-f", "{{.Id}}", WEB_IMAGE, check=False)
    if not start:
        return ""
    recipe = [start, version("playwright"), _SET_UP, program_source(PROGRAM).decode(), str(VARIABLES)]
    name = f"swe-agent-web-driver:{hashlib.sha256(repr(recipe).encode()).hexdigest()[:12]}"
    with FileLock(Path(tempfile.gettempdir(), f"swe-agent-web-driver-{os.getuid()}.lock")):
        if not _docker("image", "inspect", "-f", "{{.Id}}", name, check=False):
            _build(start, name)
    return name


def _build(start: str, name: str) -> None:
    container = _docker("create", "--network", "none", "-e", "VIRTUAL_ENV=", start, "sh", "-c", _SET_UP)
    try:
        packages = Path(str(files("playwright"))).parent
        _copy(packages, ["playwright"], PYTHON_PACKAGES, container)
        _copy(packages / "playwright/driver", ["node", "package"], FOLDER[1:], container)
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "set_up.sh").write_bytes(program_source(PROGRAM))
            _copy(Path(folder), ["set_up.sh"], FOLDER[1:], container)
        _docker("start", "-a", container)
        changes = [f"ENV {key}={value}" for key, value in VARIABLES.items()] + ['CMD ["/bin/sh"]']
        _docker("commit", *(word for change in changes for word in ("-c", change)), container, name)
    finally:
        _docker("rm", "-f", container, check=False)


def _copy(folder: Path, names: list[str], target: str, container: str) -> None:
    """Copy files of a folder to a folder of the container, which need not exist."""
    words = ["tar", "-c", "--owner=0", "--group=0", "--exclude=playwright/driver", "-C", str(folder)]
    with subprocess.Popen([*words, f"--transform=s,^,{target}/,", *names], stdout=subprocess.PIPE) as archive:
        subprocess.run(["docker", "cp", "-", f"{container}:/"], stdin=archive.stdout, check=True, capture_output=True)
    if archive.returncode:
        raise OSError(f"{names} cannot be copied")


def _docker(*words: str, check: bool = True) -> str:
    return subprocess.run(["docker", *words], check=check, capture_output=True, text=True).stdout.strip()
