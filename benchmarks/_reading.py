"""Readers of other projects for `benchmarks.readers`, independent of this project.

Run it with a Python that has the reader installed. `python _reading.py READER FILE...` prints one JSON object: the
version of the reader, and how much it read. Invalid files end it with the error of the reader.
"""

from __future__ import annotations

import asyncio
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any


def harbor(*files: str) -> dict[str, Any]:
    """Read with Harbor: its validator, and its sums over steps and embedded trajectories."""
    from harbor.models.trajectories import Trajectory  # type: ignore[import-not-found]
    from harbor.utils.trajectory_utils import compute_model_usage  # type: ignore[import-not-found]
    from harbor.utils.trajectory_validator import TrajectoryValidator  # type: ignore[import-not-found]

    steps = 0
    for file in files:
        validator = TrajectoryValidator()
        if not validator.validate(Path(file)):
            raise SystemExit(f"{file}: {validator.errors}")
        read = Trajectory.model_validate_json(Path(file).read_text())
        compute_model_usage(read)
        steps += len(read.steps)
    return {"reader": f"harbor {version('harbor')}", "read": f"{len(files)} trajectories, {steps} steps"}


def swebench(*files: str) -> dict[str, Any]:
    """Read with SWE-bench: the loader of its harness, and unidiff for the patches."""
    from swebench.harness.utils import get_predictions_from_file
    from unidiff import PatchSet  # type: ignore[import-untyped,import-not-found,unused-ignore]

    rows = [row for file in files for row in get_predictions_from_file(file, "", "")]
    changed = sum(len(PatchSet(row["model_patch"])) for row in rows)
    return {"reader": f"swebench {version('swebench')}", "read": f"{len(rows)} predictions, {changed} files"}


def swe_agent(checkout: str, *files: str) -> dict[str, Any]:
    """Read with SWE-agent: its types, inspectors, statistics, and conversion of a trajectory to a demonstration."""
    sys.path.insert(0, checkout)
    import sweagent  # type: ignore[import-not-found]
    from sweagent.inspector import server  # type: ignore[import-not-found]
    from sweagent.run.inspector_cli import TrajectoryInspectorApp  # type: ignore[import-not-found]
    from sweagent.run.quick_stats import quick_stats  # type: ignore[import-not-found]
    from sweagent.run.run_traj_to_demo import convert_traj_to_action_demo  # type: ignore[import-not-found]
    from sweagent.types import AgentRunResult  # type: ignore[import-not-found]

    folder = Path(files[0]).parent
    steps = 0
    for file in map(Path, files):
        document = json.loads(file.read_text())
        parts = {"info": document["info"], "trajectory": document["trajectory"]}
        steps += len(AgentRunResult.model_validate(parts, strict=True).trajectory)
        server.load_content(file, {}, {})
        server.get_status(file)
        convert_traj_to_action_demo(file, file.with_suffix(".demo.yaml"), include_user=True)
    quick_stats(folder)

    async def browse() -> None:
        app = TrajectoryInspectorApp(folder)
        async with app.run_test(size=(120, 40)) as pilot:
            for _ in files:
                for key in ("l", "l", "v", "dollar_sign", "v", "0", "L"):
                    await pilot.press(key)
                    await pilot.pause()

    asyncio.run(browse())
    return {"reader": f"SWE-agent {sweagent.__version__}", "read": f"{len(files)} trajectories, {steps} steps"}


def openai(*files: str) -> dict[str, Any]:
    """Read with OpenAI's client: its types for messages and tools."""
    from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
    from pydantic import ConfigDict, TypeAdapter

    lines = [json.loads(line) for file in files for line in Path(file).read_text().splitlines()]
    messages = TypeAdapter(list[ChatCompletionMessageParam], config=ConfigDict(extra="ignore"))
    tools = TypeAdapter(list[ChatCompletionToolParam])
    for line in lines:
        messages.validate_python(line["messages"])
        tools.validate_python(line.get("tools", []))
        if line["messages"][-1]["role"] != "assistant":
            raise SystemExit("A conversation does not end with a message of the assistant.")
    return {"reader": f"openai {version('openai')}", "read": f"{len(lines)} conversations"}


def datasets(*files: str) -> dict[str, Any]:
    """Read with Hugging Face datasets: its JSONL loader, and TRL's check for conversations if TRL is installed."""
    import tempfile

    from datasets import load_dataset  # type: ignore[import-not-found]

    with tempfile.TemporaryDirectory() as cache:
        loaded = [load_dataset("json", data_files=file, split="train", cache_dir=cache) for file in files]
    reader = f"datasets {version('datasets')}"
    try:
        from trl import is_conversational  # type: ignore[import-not-found]
    except ImportError:
        pass
    else:
        reader += f", trl {version('trl')}"
        if not all(is_conversational(row) for rows in loaded for row in rows):
            raise SystemExit("TRL does not recognise a row as a conversation.")
    return {"reader": reader, "read": f"{sum(map(len, loaded))} rows"}


READERS = {read.__name__: read for read in (harbor, swebench, swe_agent, openai, datasets)}

if __name__ == "__main__":
    print(json.dumps(READERS[sys.argv[1]](*sys.argv[2:])))
