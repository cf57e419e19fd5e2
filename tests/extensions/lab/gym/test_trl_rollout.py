"""One episode by the rollout loop of TRL's trainer, where TRL is installed.

pip install trl; python -m pytest --no-cov tests/extensions/lab/gym/test_trl_rollout.py
"""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from swe_agent import gym
from trajectories.journal import read

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TRL_EXPERIMENTAL_SILENCE="1")  # read on import
datasets = pytest.importorskip("datasets", reason="TRL's trainers need `datasets`, which is not installed")
trl = pytest.importorskip("trl", reason="the rollout loop is TRL's, which is not installed")
pytest.importorskip("torch")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore"), pytest.mark.timeout(600)]

SAYS = (
    ("view", {"path": "calc.py"}),
    ("edit", {"path": "calc.py", "old": "a - b", "new": "a + b"}),
    ("submit", {"summary": "It subtracted."}),
    None,
)
"""What the policy says: calls, and a text without one at the end."""


def written(said: tuple[str, dict[str, Any]] | None) -> str:
    """Return a reply as the chat template of Qwen 3 writes it."""
    if said is None:
        return "Done.<|im_end|>"
    call = json.dumps({"name": said[0], "arguments": said[1]})
    return f"<tool_call>\n{call}\n</tool_call><|im_end|>"


def test_trainer_runs_an_episode_and_takes_its_reward(
    row: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.extensions.lab.exports.test_trl_trainers import model, tokenizer

    tokens = tokenizer("qwen3")
    asked: list[str] = []

    class Trainer(trl.GRPOTrainer):  # type: ignore[misc, name-defined]
        """A trainer whose policy is scripted: an untrained model would call nothing."""

        def _generate_single_turn(self, prompt_ids: Any, *_: Any, **__: Any) -> Any:
            asked.append(tokens.decode(prompt_ids[0]))
            said = SAYS[min((len(asked) - 1), len(SAYS) - 1)]
            return [tokens.encode(written(said), add_special_tokens=False) for _ in prompt_ids], None

    config = trl.GRPOConfig(
        output_dir=str(tmp_path / "out"),
        max_steps=1,
        per_device_train_batch_size=2,
        num_generations=2,
        max_completion_length=6000,
        max_tool_calling_iterations=8,
        report_to=[],
        use_cpu=True,
        save_strategy="no",
        bf16=False,
        logging_steps=1,
    )
    trainer = Trainer(
        model=model(tmp_path / "model", tokens),
        args=config,
        processing_class=tokens,
        train_dataset=datasets.Dataset.from_list([{"prompt": [{"role": "user", "content": "Solve this issue.\n\n"}]}]),
        environment_factory=partial(gym.make_tools, row, workspace="local"),
    )
    trainer.train()
    logged = next(each for each in trainer.state.log_history if "reward" in each)
    assert logged["reward"] == 1.0
    assert "add() subtracts" in asked[0], "the prompt contains the first messages"
    assert "return a - b" in asked[1], "the result of the first call is in the second prompt"
    runs = [read(path) for path in (tmp_path / "state" / "runs").iterdir()]
    assert [run.notes[-1].data["reward"] for run in runs] == [1.0, 1.0]
