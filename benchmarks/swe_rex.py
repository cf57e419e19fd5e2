"""SWE-ReX's side of `benchmarks.actions`: run by a Python that has it, and knows nothing of this project.

`python swe_rex.py IMAGE` reads one JSON object a line, `{"do": "action"}`, and answers each with `{"seconds": ...}`: it
times itself, so the pipe costs it nothing. The container has the host's network, where the server's port is.
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
"""Where SWE-ReX's server listens when nobody maps its port."""


class Rex:
    def __init__(self, image: str) -> None:
        self.image = image
        self.deployment: Any = None

    async def do(self, request: dict[str, Any]) -> float:
        """Seconds that what is asked for took."""
        began = time.perf_counter()
        await getattr(self, request.pop("do"))(**request)
        return time.perf_counter() - began

    async def start(self) -> None:
        """A container with a server and a session, up to the first answer."""
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
        """A command in a process of its own, without the session."""
        from swerex.runtime.abstract import Command

        asked = Command(command=["bash", "-c", command], check=True, timeout=600)
        await self.deployment.runtime.execute(asked)

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
