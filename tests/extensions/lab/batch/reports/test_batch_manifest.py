"""The manifest of a batch: its settings beside its results; results of different settings are never mixed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.config.settings import Settings
from agent.version import __version__
from extensions.lab.batch.reports import batch_manifest as module
from extensions.lab.batch.reports.batch_manifest import add_images, check, manifest, read_manifest
from extensions.lab.instances.jobs import Instance
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


def build_manifest(
    data: Path, instances: list[Instance] = INSTANCES, images: dict[str, str] | None = None, **more: Any
) -> dict[str, Any]:
    options = more.pop("options", None)
    return manifest(Settings(**more), instances, [data], images or {}, options=options)


def test_manifest_contains_settings_images_and_data(data: Path, model: str) -> None:
    table = {"price_in": 3.0, "price_out": 15.0, "temperature": 0.5, "max_output": 99, "fallback": f"{model}2"}
    Path(f"{model}2".removeprefix("scripted:")).write_text("")
    models = {"scripted": table, f"{model}2": {"price_in": 1.0, "price_out": 2.0}}
    built = build_manifest(
        data, model=model, effort="high", models=models, images={"example.org/a": "sha256:1"}, options={"slice": ":3"}
    )
    assert built["swe-agent"] == __version__
    assert built["strategy"] == "test-then-patch"
    assert set(built["prompts"]) == {"coder", "again", "refused"}
    assert (built["model"]["name"], built["model"]["max_output"]) == (model, 99)
    assert built["fallbacks"][0]["name"] == f"{model}2"
    assert built["prices"][model]["output"] == 15.0
    assert built["prices"][f"{model}2"]["input"] == 1.0
    assert built["limits"]["budget"] == 2.0
    assert built["images"] == {"example.org/a": ["sha256:1"]}
    assert built["options"] == {"slice": ":3"}
    assert list(built["instances"]) == ["i0", "i1", "i2"]
    assert built["data"]["instances"] == 3
    assert built["files"][0]["name"] == "data.jsonl"
    json.dumps(built)


def test_manifest_contains_settings_of_model_table(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-the-key-of-the-user-0123456789")
    table = {"effort": "low", "temperature": 0.25, "api_base": "https://ada:secret@example.org/v1?key=hidden"}
    built = build_manifest(data, model="openai/gpt-4o", effort="high", models={"openai/gpt-4o": table})
    assert (built["model"]["effort"], built["model"]["temperature"]) == ("low", 0.25)
    assert built["prices"]["openai/gpt-4o"]["input"] > 0
    assert not any(word in json.dumps(built) for word in ("sk-the-key", "secret", "hidden", "example.org"))


def test_manifest_contains_no_secrets(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", "0123-very-secret")
    setup = "pip install --index-url https://ada:password1@example.org/simple x && login 0123-very-secret"
    services = {"db": {"image": "postgres:16", "env": {"POSTGRES_PASSWORD": "correct-horse"}}}
    text = json.dumps(build_manifest(data, setup=setup, services=services))
    assert not any(word in text for word in ("password1", "0123-very-secret", "correct-horse"))
    assert "example.org/simple" in text
    assert "postgres:16" in text


def test_manifest_without_model_uses_templates(data: Path) -> None:
    built = build_manifest(data)
    assert (built["strategy"], built["model"], built["prices"]) == ("templates", None, {})
    with pytest.raises(ConfigError):
        build_manifest(data, strategy="react")


def test_data_hash_covers_input_of_solver(data: Path) -> None:
    known = build_manifest(data)["data"]
    assert build_manifest(data, INSTANCES[::-1])["data"] == known
    for changed in ({"hints": "look there"}, {"base": "2" * 40}, {"issue": Issue("It stalls", "!")}, {"id": "other"}):
        assert build_manifest(data, [*INSTANCES[1:], replace(INSTANCES[0], **changed)])["data"] != known


def test_manifest_is_written_once_and_read_back(tmp_path: Path, data: Path) -> None:
    out = tmp_path / "out"
    assert read_manifest(out) is None
    known = check(out, build_manifest(data))
    assert read_manifest(out) == known
    stamp = (out / "manifest.json").stat().st_mtime_ns
    assert check(out, build_manifest(data)) == known
    assert (out / "manifest.json").stat().st_mtime_ns == stamp


def test_settings_without_effect_on_results_may_change(tmp_path: Path, data: Path) -> None:
    check(tmp_path, build_manifest(data, INSTANCES[:2], options={"workers": 2}, images={"a": "sha256:1"}))
    built = check(
        tmp_path, build_manifest(data, INSTANCES[1:], options={"workers": 8}, images={"a": "sha256:2", "b": "sha256:3"})
    )
    assert list(json.loads((tmp_path / "manifest.instances.json").read_text())) == ["i0", "i1", "i2"]
    assert built["data"] == build_manifest(data)["data"]
    assert built["options"] == {"workers": 8}
    assert built["images"] == {"a": ["sha256:1", "sha256:2"], "b": ["sha256:3"]}
    assert read_manifest(tmp_path) == built


def test_commits_of_swe_agent_are_collected(tmp_path: Path, data: Path) -> None:
    check(tmp_path, build_manifest(data) | {"commits": ["1"]})
    assert check(tmp_path, build_manifest(data) | {"commits": ["2"]})["commits"] == ["1", "2"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"strategy": "test-then-patch"}, "strategy was templates, now test-then-patch"),
        ({"budget": 3.0}, "limit budget was 2.0, now 3.0"),
        ({"workspace": "local"}, "environment workspace was docker, now local"),
        ({"setup": "make"}, "environment setup was nothing, now make"),
        ({"setup_env": {"CI": "1"}}, "environment setup_env.CI was nothing, now 1"),
    ],
)
def test_settings_that_affect_results_must_not_change(
    tmp_path: Path, data: Path, model: str, more: dict[str, Any], message: str
) -> None:
    known = check(tmp_path, build_manifest(data, strategy="templates", model=model))
    with pytest.raises(UsageError) as caught:
        check(tmp_path, build_manifest(data, **{"strategy": "templates", "model": model} | more))
    assert message in caught.value.message
    assert read_manifest(tmp_path) == known


@pytest.mark.slow
def test_other_model_is_rejected(tmp_path: Path, data: Path, model: str) -> None:
    check(tmp_path, build_manifest(data, model=model))
    other = tmp_path / "other.jsonl"
    other.write_text("")
    for settings, message in (
        ({"model": f"scripted:{other}"}, f"model name was {model}"[:40]),
        ({"model": model, "effort": "high"}, "model effort was nothing, now high"),
        ({"model": model, "models": {"scripted": {"max_output": 7}}}, "model max_output was 8192, now 7"),
        ({}, "now nothing"),
    ):
        with pytest.raises(UsageError) as caught:
            check(tmp_path, build_manifest(data, **settings))
        assert message in caught.value.message


def test_other_prompts_are_rejected(tmp_path: Path, data: Path, model: str) -> None:
    check(tmp_path / "out", build_manifest(data, model=model))
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "test_then_patch.coder.txt").write_text("Be good.")
    with pytest.raises(UsageError, match=r"started with other settings: other prompts \(coder\)\."):
        check(tmp_path / "out", build_manifest(data, model=model, prompts=tmp_path / "prompts"))


def test_other_data_is_rejected(tmp_path: Path, data: Path) -> None:
    check(tmp_path, build_manifest(data))
    other = [replace(instance, hints="look there") for instance in INSTANCES]
    with pytest.raises(UsageError, match=r"started with other settings: the data of i0 and 2 more\."):
        check(tmp_path, build_manifest(data, other))


def test_price_may_be_corrected(tmp_path: Path, data: Path, model: str) -> None:
    check(tmp_path, build_manifest(data, model=model))
    built = check(tmp_path, build_manifest(data, model=model, models={"scripted": {"price_in": 1.0, "price_out": 2.0}}))
    assert built["prices"][model]["output"] == 2.0


def test_image_digests_are_added_when_known(tmp_path: Path, data: Path) -> None:
    add_images(tmp_path, {"a": "sha256:1"})
    assert read_manifest(tmp_path) is None
    check(tmp_path, build_manifest(data))
    add_images(tmp_path, {"a": "sha256:1"})
    add_images(tmp_path, {"b": "sha256:2"})
    assert (read_manifest(tmp_path) or {})["images"] == {"a": ["sha256:1"], "b": ["sha256:2"]}


LISTS = '{"commits": [], "images": {}, "files": [], "limits": [1], "room": [1]}'


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"commits": {}}', LISTS])
def test_damaged_manifest_is_reported(tmp_path: Path, data: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(RunBroken, match="is damaged"):
        check(tmp_path, build_manifest(data))
    assert (tmp_path / "manifest.json").read_text() == text


def test_damaged_instance_hashes_are_reported(tmp_path: Path, data: Path) -> None:
    check(tmp_path, build_manifest(data))
    (tmp_path / "manifest.instances.json").write_text("[]")
    with pytest.raises(RunBroken, match=r"manifest\.instances\.json is damaged"):
        check(tmp_path, build_manifest(data))


def test_crash_between_two_writes_is_recovered(tmp_path: Path, data: Path) -> None:
    check(tmp_path, build_manifest(data, INSTANCES[:1]))
    before = (tmp_path / "manifest.json").read_bytes()
    known = check(tmp_path, build_manifest(data))
    (tmp_path / "manifest.json").write_bytes(before)
    assert check(tmp_path, build_manifest(data, INSTANCES[:2])) == known


def test_unwritable_folder_is_reported(tmp_path: Path, data: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(WorkspaceError, match="cannot be written"):
        check(tmp_path / "out", build_manifest(data))


def test_unreadable_data_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        build_manifest(tmp_path / "nothing.jsonl")


def test_commit_of_checkout_is_recorded(tmp_path: Path) -> None:
    commit = module._commit()
    root = Path(module.__file__).parents[4]
    assert bool(commit) == (root / ".git").exists()
    assert commit == "" or len(commit.removesuffix("+changes")) == 40
