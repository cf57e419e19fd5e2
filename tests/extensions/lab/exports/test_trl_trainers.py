"""Training sets read by `datasets` and used by TRL's trainers, where these are installed.

pip install trl; python -m pytest --no-cov tests/extensions/lab/exports/test_trl_trainers.py
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from extensions.lab.exports import dpo, rloo, sft
from tests.extensions.lab.exports.run_builder import BASE, RunBuilder
from trajectories.trajectory import RunView

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1")  # read on import
datasets = pytest.importorskip("datasets", reason="training sets are read by `datasets`, which is not installed")
trl = pytest.importorskip("trl", reason="training sets are read by TRL, which is not installed")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

SETS = {"sft": sft.export, "dpo": dpo.export, "rloo": rloo.export}
TEMPLATES = ("qwen3", "qwen2_5", "qwen3_5_think", "glm4moe", "gptoss")


def runs() -> Sequence[RunView]:
    """Calls with arguments of several kinds, replies without calls, a folded conversation."""
    good = RunBuilder("good").reply("One.", "a").reply("Two.", "b").fold_output().reply("Three.", tokens=50).end()
    slow = RunBuilder("slow").reply("Long.", "c", "d", tokens=9000).reply("").end()
    bad = RunBuilder("bad").reply("No.").end("not_found", BASE)
    return good, slow, bad


@pytest.fixture(params=SETS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def load_rows(name: str, folder: Path) -> tuple[Any, list[dict[str, Any]]]:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.jsonl"
    path.write_text("".join(SETS[name](runs())))
    table = datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=str(folder / "cache"))
    return table, [json.loads(line) for line in path.read_text().splitlines()]


def without_none(value: Any) -> Any:
    """Remove the None values of columns that a row does not have."""
    if isinstance(value, dict):
        return {key: without_none(each) for key, each in value.items() if each is not None}
    return [without_none(each) for each in value] if isinstance(value, list) else value


def tokenizer(template: str) -> Any:
    """A byte-level tokenizer with a chat template of a model that TRL supports."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bytewise = Tokenizer(models.BPE())
    bytewise.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytewise.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bytewise.train_from_iterator(["x"], trainers.BpeTrainer(initial_alphabet=alphabet, special_tokens=special))
    fast_tokenizer = PreTrainedTokenizerFast(tokenizer_object=bytewise, eos_token=special[2], pad_token=special[0])
    fast_tokenizer.chat_template = (Path(trl.__file__).parent / "chat_templates" / f"{template}.jinja").read_text()
    return fast_tokenizer


def model(folder: Path, tokens: Any) -> str:
    from transformers import Qwen2Config, Qwen2ForCausalLM

    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2}
    Qwen2ForCausalLM(Qwen2Config(vocab_size=len(tokens), **small, **heads)).save_pretrained(folder)
    tokens.save_pretrained(folder)
    return str(folder)


def test_loaded_rows_equal_written_rows(name: str, tmp_path: Path) -> None:
    table, expected = load_rows(name, tmp_path)
    assert without_none(list(table)) == expected
    assert all(trl.is_conversational(row) for row in table)


@pytest.mark.parametrize("template", TEMPLATES)
def test_chat_templates_accept_rows(name: str, template: str, tmp_path: Path) -> None:
    from trl.data_utils import maybe_apply_chat_template

    tokens = tokenizer(template)
    for row in load_rows(name, tmp_path)[0]:
        parts = {part: row[part] for part in ("prompt", "completion", "chosen", "rejected") if part in row}
        rendered = maybe_apply_chat_template(parts, tokens, tools=json.loads(row["tools"]))
        assert "Add is wrong." in rendered["prompt"]
        assert "shell" in rendered["prompt"], "the prompt lists the tools"
        assert "null" not in "".join(rendered.values()), "no argument was added"


def train(trainer: Any, config: Any, name: str, folder: Path) -> float:
    tokens = tokenizer("qwen3_training")
    table, _ = load_rows(name, folder)
    plain = {"output_dir": str(folder / "out"), "report_to": [], "use_cpu": True, "save_strategy": "no", "bf16": False}
    args = config(max_steps=1, per_device_train_batch_size=2, max_length=2048, **plain)
    instance = trainer(model=model(folder / "model", tokens), args=args, train_dataset=table, processing_class=tokens)
    return float(instance.train().training_loss)


def test_trainers_accept_training_sets(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    datasets.disable_progress_bars()
    assert train(trl.SFTTrainer, trl.SFTConfig, "sft", tmp_path / "sft") > 0
    assert train(trl.DPOTrainer, trl.DPOConfig, "dpo", tmp_path / "dpo") > 0
