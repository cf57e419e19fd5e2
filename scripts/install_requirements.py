"""Installs a hash-locked requirements file into the environment whose Python runs this, and shows how far it is.

    .venv/bin/python scripts/install_requirements.py requirements.lock

pip needs most of its time for the pages of the package index, one after the other. So up to four pips, one for each
processor, download a part of the packages each, and one pip installs them without the index. Packages that are already
installed in the locked version are skipped. Both steps check the hashes. Warnings of pip are not shown, errors are.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import distributions
from pathlib import Path

from pip._vendor.packaging.requirements import Requirement  # the environment holds nothing else yet
from pip._vendor.packaging.utils import canonicalize_name

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
OPTIONS = ["--no-deps", "--require-hashes", "--progress-bar", "off"]
MOST_DOWNLOADS = 4  # more processes only compete for the processors and the index


class Progress:
    """One line for a phase: counts on a terminal, and ends with the phase's seconds."""

    def __init__(self, text: str, total: int = 0) -> None:
        self.text, self.total, self.done = text, total, 0
        self.started = time.monotonic()
        self._lock = threading.Lock()
        self._show()

    def advance(self) -> None:
        with self._lock:
            self.done = min(self.done + 1, self.total)
            self._show()

    def end(self) -> None:
        self._write(f"{time.monotonic() - self.started:3.0f} s\n")

    def _show(self) -> None:
        if sys.stdout.isatty():
            self._write(f"{self.done}/{self.total}" if self.total else "…")

    def _write(self, state: str) -> None:
        start = "\r\x1b[K" if sys.stdout.isatty() else ""
        print(f"{start}  {self.text:<40} {state}", end="", flush=True)


def missing_entries(lock: Path) -> list[str]:
    """Return the entries of a lock file, each with its hashes, that this Python needs and lacks in that version."""
    installed = {(canonicalize_name(each.name), each.version) for each in distributions()}
    missing = []
    for entry in re.split(r"\n(?=\S)", lock.read_text("utf-8")):
        if entry.startswith("#"):
            continue
        requirement = Requirement(entry.split("\\")[0])
        (pin,) = requirement.specifier
        needed = not requirement.marker or requirement.marker.evaluate()
        if needed and (canonicalize_name(requirement.name), pin.version) not in installed:
            missing.append(entry)
    return missing


def run_pip(arguments: list[str], progress: Progress) -> None:
    """Run pip and count the packages that it names. Exits with its errors, without its warnings, if it fails."""
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen([*PIP, *arguments], stdout=subprocess.PIPE, stderr=errors, text=True)
        assert process.stdout
        for line in process.stdout:
            if line.startswith("Collecting "):
                progress.advance()
        if process.wait():
            errors.seek(0)
            shown = [line for line in errors if "WARNING" not in line]
            sys.exit("\n" + "".join(shown[-20:]) + "setup: pip could not install the requirements, see above.")


def main() -> None:
    entries = missing_entries(Path(sys.argv[1]))
    if not entries:
        return
    with tempfile.TemporaryDirectory(prefix="swe-agent-setup-") as name:
        folder = Path(name)
        count = min(MOST_DOWNLOADS, os.cpu_count() or 1, len(entries))
        parts = [folder / f"part-{number}.txt" for number in range(count)]
        for number, part in enumerate(parts):
            part.write_text("\n".join(entries[number::count]) + "\n", "utf-8")
        wheels = folder / "wheels"
        wheels.mkdir()

        progress = Progress(f"downloading {len(entries)} packages", len(entries))
        with ThreadPoolExecutor(count) as pool:
            list(
                pool.map(
                    lambda part: run_pip(["download", *OPTIONS, "-d", str(wheels), "-r", str(part)], progress), parts
                )
            )
        progress.end()

        progress = Progress("installing them")
        requirements = [option for part in parts for option in ("-r", str(part))]
        # A source distribution needs the index again, for what builds it.
        offline = ["--no-index"] if all(wheel.suffix == ".whl" for wheel in wheels.iterdir()) else []
        # Compiling all modules takes longer than installing them; Python compiles those that it imports.
        run_pip(["install", *OPTIONS, "--no-compile", *offline, "--find-links", str(wheels), *requirements], progress)
        progress.end()


if __name__ == "__main__":
    main()
