"""What a batch was run with is beside its results, and what would mix results of two is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.batch.reports import batch_manifest as module
from agent.batch.reports.batch_manifest import add_images, check, manifest, read_manifest
from agent.config.settings import Settings
from agent.engine.run_lifecycle import VERSION
from agent.instances.jobs import Instance
from trajectories.errors import ConfigError, RunBroken, UsageError, WorkspaceError
from trajectories.records import Issue

INSTANCES = [Instance(f"i{number}", "ada/engine", "1" * 40, Issue("It stalls")) for number in range(3)]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data.jsonl").write_text("rows")
    return tmp_path / "data.jsonl"


@pytest.fixture
def model(tmp_path: Path) -> str:
    (tmp_path / "script.jsonl").write_text("")
    return f"scripted:{tmp_path / 'script.jsonl'}"


def made(
    data: Path, instances: list[Instance] = INSTANCES, images: dict[str, str] | None = None, **more: Any
) -> dict[str, Any]:
    options = more.pop("options", None)
    return manifest(Settings(**more), instances, [data], images or {}, options=options)


def test_what_is_in_it(data: Path, model: str) -> None:
    table = {"price_in": 3.0, "price_out": 15.0, "temperature": 0.5, "max_output": 99, "fallback": f"{model}2"}
    Path(f"{model}2".removeprefix("scripted:")).write_text("")
    models = {"scripted": table, f"{model}2": {"price_in": 1.0, "price_out": 2.0}}
    found = made(
        data, model=model, effort="high", models=models, images={"example.org/a": "sha256:1"}, options={"slice": ":3"}
    )
    assert found["swe-agent"] == VERSION
    assert found["strategy"] == "test-then-patch"
    assert set(found["prompts"]) == {"coder", "again", "refused"}
    assert (found["model"]["name"], found["model"]["max_output"]) == (model, 99)
    assert found["fallbacks"][0]["name"] == f"{model}2"
    assert found["prices"][model]["output"] == 15.0
    assert found["prices"][f"{model}2"]["input"] == 1.0
    assert found["limits"]["budget"] == 2.0
    assert found["images"] == {"example.org/a": ["sha256:1"]}
    assert found["options"] == {"slice": ":3"}
    assert list(found["instances"]) == ["i0", "i1", "i2"]
    assert found["data"]["instances"] == 3
    assert found["files"][0]["name"] == "data.jsonl"
    json.dumps(found)


def test_settings_of_models_table_are_in_it(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-the-key-of-the-user-0123456789")
    table = {"effort": "low", "temperature": 0.25, "api_base": "https://ada:secret@example.org/v1?key=hidden"}
    found = made(data, model="openai/gpt-4o", effort="high", models={"openai/gpt-4o": table})
    assert (found["model"]["effort"], found["model"]["temperature"]) == ("low", 0.25)
    assert found["prices"]["openai/gpt-4o"]["input"] > 0
    assert not any(word in json.dumps(found) for word in ("sk-the-key", "secret", "hidden", "example.org"))


def test_no_key_is_in_it(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", "0123-very-secret")
    setup = "pip install --index-url https://ada:password1@example.org/simple x && login 0123-very-secret"
    services = {"db": {"image": "postgres:16", "env": {"POSTGRES_PASSWORD": "correct-horse"}}}
    text = json.dumps(made(data, setup=setup, services=services))
    assert not any(word in text for word in ("password1", "0123-very-secret", "correct-horse"))
    assert "example.org/simple" in text
    assert "postgres:16" in text


def test_without_model(data: Path) -> None:
    found = made(data)
    assert (found["strategy"], found["model"], found["prices"]) == ("templates", None, {})
    with pytest.raises(ConfigError):
        made(data, strategy="react")


def test_hash_is_of_what_solver_is_told(data: Path) -> None:
    known = made(data)["data"]
    assert made(data, INSTANCES[::-1])["data"] == known
    for changed in ({"hints": "look there"}, {"base": "2" * 40}, {"issue": Issue("It stalls", "!")}, {"id": "other"}):
        assert made(data, [*INSTANCES[1:], replace(INSTANCES[0], **changed)])["data"] != known


def test_it_is_written_once_and_found_again(tmp_path: Path, data: Path) -> None:
    out = tmp_path / "out"
    assert read_manifest(out) is None
    known = check(out, made(data))
    assert read_manifest(out) == known
    stamp = (out / "manifest.json").stat().st_mtime_ns
    assert check(out, made(data)) == known
    assert (out / "manifest.json").stat().st_mtime_ns == stamp


def test_what_shapes_no_result_may_change(tmp_path: Path, data: Path) -> None:
    check(tmp_path, made(data, INSTANCES[:2], options={"workers": 2}, images={"a": "sha256:1"}))
    found = check(
        tmp_path, made(data, INSTANCES[1:], options={"workers": 8}, images={"a": "sha256:2", "b": "sha256:3"})
    )
    assert list(json.loads((tmp_path / "manifest.instances.json").read_text())) == ["i0", "i1", "i2"]
    assert found["data"] == made(data)["data"]
    assert found["options"] == {"workers": 8}
    assert found["images"] == {"a": ["sha256:1", "sha256:2"], "b": ["sha256:3"]}
    assert read_manifest(tmp_path) == found


def test_another_commit_of_ours_is_noted(tmp_path: Path, data: Path) -> None:
    check(tmp_path, made(data) | {"commits": ["1"]})
    assert check(tmp_path, made(data) | {"commits": ["2"]})["commits"] == ["1", "2"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"strategy": "test-then-patch"}, "strategy was templates, now test-then-patch"),
        ({"budget": 3.0}, "limits budget was 2.0, now 3.0"),
        ({"workspace": "local"}, "room workspace was docker, now local"),
        ({"setup": "make"}, "room setup was nothing, now make"),
    ],
)
def test_what_shapes_results_may_not_change(
    tmp_path: Path, data: Path, model: str, more: dict[str, Any], words: str
) -> None:
    known = check(tmp_path, made(data, strategy="templates", model=model))
    with pytest.raises(UsageError) as caught:
        check(tmp_path, made(data, **{"strategy": "templates", "model": model} | more))
    assert words in caught.value.message
    assert read_manifest(tmp_path) == known


def test_another_model_is_refused(tmp_path: Path, data: Path, model: str) -> None:
    check(tmp_path, made(data, model=model))
    other = tmp_path / "other.jsonl"
    other.write_text("")
    for settings, words in (
        ({"model": f"scripted:{other}"}, f"model name was {model}"[:40]),
        ({"model": model, "effort": "high"}, "model effort was nothing, now high"),
        ({"model": model, "models": {"scripted": {"max_output": 7}}}, "model max_output was 8192, now 7"),
        ({}, "now nothing"),
    ):
        with pytest.raises(UsageError) as caught:
            check(tmp_path, made(data, **settings))
        assert words in caught.value.message


def test_other_prompts_are_refused(tmp_path: Path, data: Path, model: str) -> None:
    check(tmp_path / "out", made(data, model=model))
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "test_then_patch.coder.txt").write_text("Be good.")
    with pytest.raises(UsageError, match=r"started with other settings: other prompts \(coder\)\."):
        check(tmp_path / "out", made(data, model=model, prompts=tmp_path / "prompts"))


def test_other_data_is_refused(tmp_path: Path, data: Path) -> None:
    check(tmp_path, made(data))
    other = [replace(instance, hints="look there") for instance in INSTANCES]
    with pytest.raises(UsageError, match=r"started with other settings: the data of i0 and 2 more\."):
        check(tmp_path, made(data, other))


def test_price_may_be_mended(tmp_path: Path, data: Path, model: str) -> None:
    check(tmp_path, made(data, model=model))
    found = check(tmp_path, made(data, model=model, models={"scripted": {"price_in": 1.0, "price_out": 2.0}}))
    assert found["prices"][model]["output"] == 2.0


def test_digests_are_added_as_they_become_known(tmp_path: Path, data: Path) -> None:
    add_images(tmp_path, {"a": "sha256:1"})
    assert read_manifest(tmp_path) is None
    check(tmp_path, made(data))
    add_images(tmp_path, {"a": "sha256:1"})
    add_images(tmp_path, {"b": "sha256:2"})
    assert (read_manifest(tmp_path) or {})["images"] == {"a": ["sha256:1"], "b": ["sha256:2"]}


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"commits": {}}'])
def test_damaged_manifest_is_told(tmp_path: Path, data: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(RunBroken, match="is damaged"):
        check(tmp_path, made(data))
    assert (tmp_path / "manifest.json").read_text() == text


def test_damaged_hashes_are_told(tmp_path: Path, data: Path) -> None:
    check(tmp_path, made(data))
    (tmp_path / "manifest.instances.json").write_text("[]")
    with pytest.raises(RunBroken, match=r"manifest\.instances\.json is damaged"):
        check(tmp_path, made(data))


def test_crash_between_two_files_changes_nothing(tmp_path: Path, data: Path) -> None:
    check(tmp_path, made(data, INSTANCES[:1]))
    before = (tmp_path / "manifest.json").read_bytes()
    known = check(tmp_path, made(data))
    (tmp_path / "manifest.json").write_bytes(before)
    assert check(tmp_path, made(data, INSTANCES[:2])) == known


def test_where_nothing_can_be_written(tmp_path: Path, data: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(WorkspaceError, match="cannot be written"):
        check(tmp_path / "out", made(data))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        made(tmp_path / "nothing.jsonl")


def test_checkout_names_its_commit(tmp_path: Path) -> None:
    commit = module._commit()
    house = Path(module.__file__).parents[3]
    assert bool(commit) == (house / ".git").exists()
    assert commit == "" or len(commit.removesuffix("+changes")) == 40
