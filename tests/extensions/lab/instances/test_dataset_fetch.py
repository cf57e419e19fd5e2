"""Data sets by name: pinned, checked and kept, from a stand-in of the hub on loopback."""

from __future__ import annotations

import hashlib
import importlib
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.cli.command_line import run
from agent.config.settings import SECRET, load_settings
from agent.installation import extra_advice
from extensions.lab.instances import dataset_fetch
from extensions.lab.instances.dataset_fetch import confirm_images, dataset_files
from extensions.lab.instances.dataset_instances import read_instances
from extensions.lab.instances.named_datasets import DATASETS, NamedDataset
from tests.extensions.lab.instances.dataset_hub import DatasetHub, serve_dataset
from trajectories.errors import ConfigError, SweAgentError, TryLater, UsageError

ROW = {"instance_id": "people__calc-1", "repo": "people/calc", "base_commit": "", "problem_statement": "It fails"}
CONTENT = json.dumps(ROW).encode() + b"\n"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
TAMPERED = CONTENT.replace(b"people/calc", b"evil/calcul")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DatasetHub]:
    """A hub with the data set `verified`, whose digest is known."""
    dataset = NamedDataset("people/bench", "a" * 40, "test", 1, DIGEST, len(CONTENT))
    monkeypatch.setitem(DATASETS, "verified", dataset)
    monkeypatch.setenv("SWE_AGENT_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with serve_dataset(DatasetHub(dataset, CONTENT, CONTENT)) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.endpoint)
        yield served


def without_digest(hub: DatasetHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.dataset = replace(hub.dataset, sha256="", size=0)
    monkeypatch.setitem(DATASETS, "verified", hub.dataset)


def refusal(kind: type[SweAgentError]) -> SweAgentError:
    with pytest.raises(kind) as caught:
        dataset_files(["verified"])
    return caught.value


def test_table_pins_revisions_and_digests() -> None:
    assert set(DATASETS) == {"verified", "lite", "full", "multilingual", "multimodal", "live", "pro", "rebench"}
    for dataset in DATASETS.values():
        assert re.fullmatch(r"[0-9a-f]{40}", dataset.revision)
        assert re.fullmatch(r"([0-9a-f]{64})?", dataset.sha256)
    assert len({dataset.revision for dataset in DATASETS.values()}) == len(DATASETS)


def test_data_set_is_fetched_once(hub: DatasetHub, capsys: pytest.CaptureFixture[str]) -> None:
    [path] = dataset_files(["verified"])
    assert path.read_bytes() == CONTENT
    assert path.is_relative_to(load_settings().state / "datasets")
    assert [instance.id for instance in read_instances([path])] == ["people__calc-1"]
    assert "people/bench, revision aaaaaaaaaaaa" in capsys.readouterr().err
    assert {host for host, _, _ in hub.requests} == {"hub", "content"}
    count = len(hub.requests)
    hub.down = True
    assert dataset_files(["verified"]) == (path,)
    assert len(hub.requests) == count


def test_rows_are_parquet(hub: DatasetHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(importlib.import_module("pyarrow").Table.from_pylist([ROW]), tmp_path / "rows.parquet")
    hub.content = hub.original = (tmp_path / "rows.parquet").read_bytes()
    without_digest(hub, monkeypatch)
    monkeypatch.setenv("HF_ENDPOINT", f"{hub.endpoint}/")
    assert [instance.repo for instance in read_instances(dataset_files(["verified"]))] == ["people/calc"]


def test_no_token_is_sent_for_an_open_set(hub: DatasetHub) -> None:
    dataset_files(["verified"], yes=True)
    assert hub.tokens() == {""}


def test_tampered_content_is_refused_each_time(hub: DatasetHub) -> None:
    hub.content = TAMPERED
    for _ in range(2):
        error = refusal(UsageError)
        assert "is not the pinned data set verified" in error.message
        assert DIGEST in error.message
    hub.content = CONTENT
    folder = re.findall(r"Remove (\S+),", error.fix)[0]
    assert Path(folder).is_dir()


def test_content_changed_after_the_fetch_is_refused(hub: DatasetHub, monkeypatch: pytest.MonkeyPatch) -> None:
    without_digest(hub, monkeypatch)
    [path] = dataset_files(["verified"])
    path.write_bytes(TAMPERED)
    assert "is not the pinned data set" in refusal(UsageError).message


def test_stated_digest_is_compared_with_content_that_has_no_known_digest(
    hub: DatasetHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_digest(hub, monkeypatch)
    hub.content = TAMPERED
    assert DIGEST in refusal(UsageError).message


def test_another_digest_or_revision_of_the_hub_is_refused_before_the_download(hub: DatasetHub) -> None:
    hub.original = hub.content = TAMPERED
    assert "The hub states the SHA-256" in refusal(UsageError).message
    hub.commit = "b" * 40
    assert f"answers with revision {'b' * 40}" in refusal(UsageError).message
    assert {host for host, _, _ in hub.requests} == {"hub"}


def test_set_without_any_digest_is_refused(hub: DatasetHub, monkeypatch: pytest.MonkeyPatch) -> None:
    without_digest(hub, monkeypatch)
    hub.is_large = False
    assert "states no SHA-256" in refusal(UsageError).message


def test_hub_that_does_not_answer_is_one_sentence(hub: DatasetHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.down = True
    assert "was not fetched yet, and the hub does not answer" in refusal(TryLater).message
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert "was not fetched yet, and the hub does not answer" in refusal(TryLater).message
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "the hub does not answer: HF_HUB_OFFLINE is set." in refusal(TryLater).message


def test_connection_that_fails_before_the_download_can_be_tried_later(
    hub: DatasetHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub_client = pytest.importorskip("huggingface_hub")

    def fail(*_: object, **__: object) -> str:
        raise hub_client.errors.LocalEntryNotFoundError("An error happened while trying to locate the file on the Hub.")

    monkeypatch.setattr(hub_client, "hf_hub_download", fail)
    assert "the hub does not answer: An error happened" in refusal(TryLater).message


def test_file_that_the_hub_lacks_is_one_sentence(hub: DatasetHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DATASETS, "verified", replace(hub.dataset, split="dev"))
    error = refusal(UsageError)
    assert error.message.startswith("The hub has no data/dev-00000-of-00001.parquet at revision")


def test_token_is_sent_for_a_gated_set_after_a_yes(hub: DatasetHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.token = "hf_secret"
    assert "is not sent" in refusal(UsageError).message
    assert hub.tokens() == {""}
    monkeypatch.setattr(dataset_fetch, "confirm", lambda *_: True)
    dataset_files(["verified"])
    assert ("hub", "HEAD", "hf_secret") in hub.requests
    assert {token for host, _, token in hub.requests if host == "content"} == {""}
    assert SECRET.search("HF_TOKEN"), "no workspace gets such a variable"


def test_gated_set_without_a_token_says_where_its_terms_are(hub: DatasetHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.token = "hf_other"
    with pytest.raises(ConfigError, match="refuses your token"):
        dataset_files(["verified"], yes=True)
    monkeypatch.delenv("HF_TOKEN")
    error = refusal(ConfigError)
    assert error.fix == f"Accept its terms at {hub.endpoint}/datasets/people/bench, then set HF_TOKEN."


def test_missing_client_is_one_sentence(hub: DatasetHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    error = refusal(ConfigError)
    assert "huggingface_hub, which is not installed" in error.message
    assert error.fix == extra_advice("datasets")


def test_file_of_that_name_is_reached_by_its_path(
    hub: DatasetHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("verified").write_bytes(TAMPERED)
    assert dataset_files(["./verified"]) == (Path("verified"),)
    assert not hub.requests
    assert dataset_files(["verified"])[0].read_bytes() == CONTENT
    assert "is ./verified" in capsys.readouterr().err


def test_word_that_is_neither_name_nor_file_is_refused_with_the_names() -> None:
    with pytest.raises(UsageError, match="neither a file nor the name of a data set") as caught:
        dataset_files(["verfied"])
    assert "verified, lite, full, multilingual" in caught.value.fix


def test_large_data_and_images_are_asked_about_at_a_terminal(
    hub: DatasetHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    questions: list[str] = []
    monkeypatch.setattr(dataset_fetch, "at_terminal", lambda: True)
    monkeypatch.setattr(dataset_fetch, "confirm", lambda text, *_: bool(questions.append(text)))
    monkeypatch.setattr(dataset_fetch, "LARGE_DATA", 10)
    assert refusal(UsageError).message == "Nothing was fetched."
    with pytest.raises(UsageError, match="Nothing was pulled"):
        confirm_images(500)
    confirm_images(20)
    confirm_images(500, yes=True)
    assert len(questions) == 2
    assert "20 instances need roughly 9 GB" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["batch", "evaluate"])
def test_commands_take_names(command: str, hub: DatasetHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files: list[Path] = []

    def start_nothing(options: Any, *_: object) -> int:
        files.extend(options.files if command == "batch" else options.instances)
        assert options.before_images is not None
        raise UsageError("Nothing is started.")

    start = "start_batch" if command == "batch" else "_show"
    monkeypatch.setattr(f"extensions.lab.commands.{command}.{start}", start_nothing)
    more = ["--predictions", "gold"] if command == "evaluate" else []
    run([command, "--instances", "verified", "--out", str(tmp_path / "out"), *more])
    assert [path.read_bytes() for path in files] == [CONTENT]
