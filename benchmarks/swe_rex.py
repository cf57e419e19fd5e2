"""The SWE-ReX side of `benchmarks.actions`. Runs in a Python with SWE-ReX, without this project.

`python swe_rex.py IMAGE` reads one JSON object per line, for example `{"do": "action"}`, and answers each with
`{"seconds": ...}`. It measures the time itself, so the pipe is not included. The container uses the host's network,
which gives access to the server's port.
"""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import time
from collections.abc import Awaitable
from typing import Any

PORT = 8000
"""Port of SWE-ReX's server if it is not mapped."""


class Rex:
    def __init__(self, image: str) -> None:
        self.image = image
        self.deployment: Any = None

    async def do(self, request: dict[str, Any]) -> float:
        """Execute a request; return its seconds."""
        began = time.perf_counter()
        await getattr(self, request.pop("do"))(**request)
        return time.perf_counter() - began

    async def start(self) -> None:
        """Start a container with a server and a session, and wait for the first answer."""
        from swerex.deployment.docker import DockerDeployment  # type: ignore[import-not-found]
        from swerex.runtime.abstract import CreateBashSessionRequest  # type: ignore[import-not-found]

        labelled = ["--network", "host", "--label", "swe-agent=1"]
        self.deployment = DockerDeployment(image=self.image, port=PORT, pull="never", docker_args=labelled)
        self.deployment.logger.setLevel(logging.ERROR)
        await self.deployment.start()
        await self.deployment.runtime.create_session(CreateBashSessionRequest())
        await self.run("true")

    async def run(self, command: str) -> None:
        from swerex.runtime.abstract import BashAction

        await self.deployment.runtime.run_in_session(BashAction(command=command, check="raise", timeout=600))

    async def execute(self, command: str) -> None:
        """Run a command in a separate process, without the session."""
        from swerex.runtime.abstract import Command

        request = Command(command=["bash", "-c", command], check=True, timeout=600)
        await self.deployment.runtime.execute(request)

    async def read(self, path: str) -> None:
        from swerex.runtime.abstract import ReadFileRequest

        await self.deployment.runtime.read_file(ReadFileRequest(path=path))

    async def write(self, path: str, size: int, line: str) -> None:
        from swerex.runtime.abstract import WriteFileRequest

        content = (line * (size // len(line) + 1))[:size]
        await self.deployment.runtime.write_file(WriteFileRequest(path=path, content=content))

    async def copy(self, source: str, target: str) -> None:
        container = self.deployment.container_name
        subprocess.run(["docker", "cp", source, f"{container}:{target}"], check=True, capture_output=True)

    async def stop(self) -> None:
        if self.deployment:
            await self.deployment.stop()
            self.deployment = None


async def serve(rex: Rex) -> None:
    try:
        for line in sys.stdin:
            answer: Awaitable[float] = rex.do(json.loads(line))
            print(json.dumps({"seconds": await answer}), flush=True)
    finally:
        await rex.stop()


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    asyncio.run(serve(Rex(sys.argv[1])))
