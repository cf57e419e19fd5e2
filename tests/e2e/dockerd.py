"""A separate Docker daemon for tests: it can be stopped, its disk filled and its images removed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from tests.conftest import IMAGE

WAIT = 60.0


class OwnDaemon:
    """Keeps its data in memory, at most `size` megabytes, and has the tests' image. Needs root."""

    def __init__(self, size: int) -> None:
        if os.geteuid() or not shutil.which("dockerd"):
            pytest.skip("a separate daemon needs root and dockerd")
        self.folder = Path(tempfile.mkdtemp(prefix="dockerd-", dir="/tmp"))  # the path of a socket must be short
        self.data = self.folder / "data"
        self.data.mkdir()
        self.address = f"unix://{self.folder}/socket"
        self._process: subprocess.Popen[bytes] | None = None
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size}m", "tmpfs", str(self.data)]
        if subprocess.run(mount, capture_output=True).returncode:
            shutil.rmtree(self.folder)
            pytest.skip("no right to mount a file system")
        try:
            self.start()
            with subprocess.Popen(["docker", "save", IMAGE], stdout=subprocess.PIPE) as saved:
                self.docker("load", stdin=saved.stdout)
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        paths = {"data-root": self.data, "exec-root": self.folder / "exec", "pidfile": self.folder / "pid"}
        flags = [f"--{name}={path}" for name, path in paths.items()]
        isolation = ["--iptables=false", "--bridge=none", "--ip-masq=false"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["dockerd", *flags, *isolation, "-H", self.address], stdout=log, stderr=log
            )
        end = time.monotonic() + WAIT
        while subprocess.run(["docker", "-H", self.address, "version"], capture_output=True).returncode:
            assert self._process.poll() is None, (self.folder / "log").read_text()[-2000:]
            assert time.monotonic() < end, "the daemon does not answer"
            time.sleep(0.1)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(WAIT)
            self._process = None

    def docker(self, *arguments: str, **options: object) -> str:
        command = ["docker", "-H", self.address, *arguments]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **options).stdout.strip()  # type: ignore[call-overload]

    def close(self) -> None:
        self.stop()
        subprocess.run(["umount", "-l", str(self.data)], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)
