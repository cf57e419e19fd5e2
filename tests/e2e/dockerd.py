"""A Docker daemon of our own, beside the machine's: it may be stopped, filled and robbed of images."""

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
    """Its data lies in memory, `size` megabytes at most; it holds the tests' image. Needs root."""

    def __init__(self, size: int) -> None:
        if os.geteuid() or not shutil.which("dockerd"):
            pytest.skip("a daemon of our own needs root and dockerd")
        self.folder = Path(tempfile.mkdtemp(prefix="dockerd-", dir="/tmp"))  # a socket's path is short
        self.data = self.folder / "data"
        self.data.mkdir()
        self.address = f"unix://{self.folder}/socket"
        self._process: subprocess.Popen[bytes] | None = None
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size}m", "tmpfs", str(self.data)]
        if subprocess.run(mount, capture_output=True).returncode:
            shutil.rmtree(self.folder)
            pytest.skip("nothing may be mounted here")
        try:
            self.start()
            with subprocess.Popen(["docker", "save", IMAGE], stdout=subprocess.PIPE) as saved:
                self.docker("load", stdin=saved.stdout)
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        own = {"data-root": self.data, "exec-root": self.folder / "exec", "pidfile": self.folder / "pid"}
        flags = [f"--{name}={path}" for name, path in own.items()]
        alone = ["--iptables=false", "--bridge=none", "--ip-masq=false"]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(["dockerd", *flags, *alone, "-H", self.address], stdout=log, stderr=log)
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

    def docker(self, *arguments: str, **more: object) -> str:
        command = ["docker", "-H", self.address, *arguments]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **more).stdout.strip()  # type: ignore[call-overload]

    def close(self) -> None:
        self.stop()
        subprocess.run(["umount", "-l", str(self.data)], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)
