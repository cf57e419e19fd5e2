"""The file that the solve job hands to the publish job: anything but what `pack` writes is refused."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from extensions.github.pull_request.run_outcome import outcome_without_run
from extensions.github.task.result_file import MOST_BYTES, Outcome, pack, unpack
from trajectories.errors import ConfigError, UsageError
from trajectories.facts import Fact
from trajectories.migrations import facts_of

OUTCOME = outcome_without_run(ConfigError("There is no key.", "Set one."), "d" * 64, "b" * 40)
DIFF = b"--- a/x\n+++ b/x\n\xff\n"


def member(name: str, data: bytes = b"", **more: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in more.items():
        setattr(info, field, value)
    return info, data


def tar(*members: tuple[tarfile.TarInfo, bytes], format: int = tarfile.USTAR_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as opened:
        for info, data in members:
            opened.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def outcome_json(**more: Any) -> bytes:
    return json.dumps({**asdict(OUTCOME), **more}).encode()


def unpack_bytes(folder: Path, data: bytes) -> tuple[Outcome, bytes]:
    file = folder / "handover.tar"
    file.write_bytes(data)
    return unpack(file, sha256(data).hexdigest())


def archive(text: bytes, diff: bytes = DIFF) -> bytes:
    return tar(member("outcome.json", text), member("patch.diff", diff))


def test_packing_is_deterministic_and_reversible(tmp_path):
    outcome = replace(OUTCOME, title="Ü \ud800", places=({"path": "a.py", "line": 3, "name": "f", "why": "named"},))
    digest = pack(outcome, DIFF, tmp_path / "one")
    assert pack(outcome, DIFF, tmp_path / "two") == digest
    unpacked, diff = unpack(tmp_path / "one", digest)
    assert (unpacked.title, unpacked.places, unpacked.exit, diff) == ("Ü ?", outcome.places, 3, DIFF)
    assert asdict(replace(unpacked, title="")) == json.loads(json.dumps(asdict(replace(outcome, title="")))) | {
        "places": tuple(outcome.places),
        "tried": (),
        "attempts": (),
        "questions": (),
    }


INVALID_FILES: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "no tar": lambda: b"x" * 2048,
    "one member": lambda: tar(member("outcome.json", outcome_json())),
    "three members": lambda: tar(member("outcome.json", outcome_json()), member("patch.diff"), member("patch.diff")),
    "other order": lambda: tar(member("patch.diff"), member("outcome.json", outcome_json())),
    "other name": lambda: tar(member("outcome.json", outcome_json()), member("../patch.diff")),
    "absolute name": lambda: tar(member("/outcome.json", outcome_json()), member("patch.diff")),
    "link": lambda: tar(
        member("outcome.json", outcome_json()), member("patch.diff", type=tarfile.SYMTYPE, linkname="/etc/passwd")
    ),
    "hard link": lambda: tar(
        member("outcome.json", outcome_json()), member("patch.diff", type=tarfile.LNKTYPE, linkname="outcome.json")
    ),
    "device": lambda: tar(member("outcome.json", outcome_json()), member("patch.diff", type=tarfile.CHRTYPE)),
    "mode": lambda: tar(member("outcome.json", outcome_json(), mode=0o4755), member("patch.diff")),
    "time": lambda: tar(member("outcome.json", outcome_json(), mtime=1), member("patch.diff")),
    "pax": lambda: tar(
        member("outcome.json", outcome_json(), pax_headers={"path": "x"}),
        member("patch.diff"),
        format=tarfile.PAX_FORMAT,
    ),
    "sparse": lambda: tar(member("outcome.json", outcome_json(), type=tarfile.GNUTYPE_SPARSE), member("patch.diff")),
    "more behind the end": lambda: archive(outcome_json()) + b"\0" * 512,
    "huge member": lambda: archive(outcome_json())[:124] + b"77777777777\0" + archive(outcome_json())[136:],
    "negative size": lambda: archive(outcome_json())[:124] + b"\xff" * 12 + archive(outcome_json())[136:],
}


@pytest.mark.parametrize("kind", INVALID_FILES)
def test_malformed_archive_is_refused_despite_matching_digest(tmp_path, kind):
    with pytest.raises(UsageError, match="does not consist of"):
        unpack_bytes(tmp_path, INVALID_FILES[kind]())


def test_wrong_digest_is_refused(tmp_path):
    pack(OUTCOME, DIFF, tmp_path / "handover.tar")
    for digest in ("", "0" * 64):
        with pytest.raises(UsageError, match="not the file that the solve job wrote"):
            unpack(tmp_path / "handover.tar", digest)
    with pytest.raises(UsageError, match="cannot be read"):
        unpack(tmp_path / "none.tar", "")


def test_oversized_file_is_not_read_to_its_end(tmp_path):
    with (tmp_path / "large").open("wb") as file:
        file.truncate(MOST_BYTES * 100)
    with pytest.raises(UsageError, match="is not the file that"):
        unpack(tmp_path / "large", "")


RESULT = dict(OUTCOME.result)
FAULTS = {
    "no JSON": b"{",
    "a list": b"[]",
    "an unknown field": outcome_json(repository="octo/other"),
    "a missing field": json.dumps({"errand": "x"}).encode(),
    "a text for a number": outcome_json(exit="0"),
    "a number for a text": outcome_json(title=3),
    "another exit than the result's": outcome_json(exit=0),
    "an unknown field in the result": outcome_json(result={**RESULT, "pull_request": 3}),
    "an unknown field in the verdict": outcome_json(result={**RESULT, "verdict": {**RESULT["verdict"], "x": 1}}),
    "an unknown kind of verdict": outcome_json(result={**RESULT, "verdict": {**RESULT["verdict"], "kind": "sure"}}),
    "dollars that are not a number": outcome_json(
        result={**RESULT, "usage": {**RESULT["usage"], "dollars": float("nan")}}
    ),
    "dollars below zero": outcome_json(result={**RESULT, "usage": {**RESULT["usage"], "dollars": -1}}),
    "a place with an unknown field": outcome_json(
        places=[{"path": "a", "line": 1, "name": "", "why": "", "html": "x"}]
    ),
    "a long title": outcome_json(title="x " * 2_001),
    "a long answer": outcome_json(answer="x " * 20_001),
    "a test with a long name": outcome_json(
        result={**RESULT, "verdict": {**RESULT["verdict"], "tests": ["x" * 4_001]}}
    ),
    "very deep": b'{"result":' + b"[" * 100_000,
    "half a surrogate": outcome_json(title="x").replace(b'"x"', b'"\\ud800"'),
    "another version": outcome_json(version=2),
}


@pytest.mark.parametrize("section", ["", "result"])
def test_unknown_field_name_is_not_printed(tmp_path, section):
    injected = {"##[set-output name=outcome]x": 1}
    with pytest.raises(UsageError) as raised:
        unpack_bytes(
            tmp_path, archive(outcome_json(result={**RESULT, **injected}) if section else outcome_json(**injected))
        )
    assert f"is invalid in {section or 'its structure'}: " in str(raised.value)
    assert "set-output" not in str(raised.value)


@pytest.mark.parametrize("fault", FAULTS)
def test_malformed_outcome_is_refused(tmp_path, fault):
    with pytest.raises(UsageError, match=r"is invalid|has version 2"):
        unpack_bytes(tmp_path, archive(FAULTS[fault]))


def with_facts(*facts: dict[str, Any]) -> Outcome:
    return replace(OUTCOME, result={**OUTCOME.result, "verdict": {**OUTCOME.result["verdict"], "facts": facts}})


def test_facts_of_verdict_are_handed_on(tmp_path: Path) -> None:
    data = {"with_patch": True, "passed": 12, "path": "a.py", "places": ["a.py:3"]}
    digest = pack(with_facts({"kind": "suite", "text": "The suite ran.", "data": data}), DIFF, tmp_path / "file")
    unpacked, _ = unpack(tmp_path / "file", digest)
    assert facts_of(unpacked.result["verdict"]) == (Fact("suite", "The suite ran.", {**data, "places": ("a.py:3",)}),)


@pytest.mark.parametrize(
    "fact",
    [
        {"kind": "invention", "text": "x"},
        {"kind": "suite"},
        {"kind": "suite", "text": "x" * 5_000},
        {"kind": "suite", "text": "x", "data": {"passed": 1.5}},
        {"kind": "suite", "text": "x", "data": {"passed": {"more": 1}}},
        {"kind": "suite", "text": "x", "more": ""},
    ],
    ids=str,
)
def test_facts_of_another_form_are_refused(fact: dict[str, Any], tmp_path: Path) -> None:
    digest = pack(with_facts(fact), DIFF, tmp_path / "file")
    with pytest.raises(UsageError, match="is invalid in"):
        unpack(tmp_path / "file", digest)
