"""What is not just what `pack` writes is refused before anything of it is used."""

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

from agent.github.pull_request.run_outcome import outcome_without_run
from agent.github.task.result_file import MOST_BYTES, Outcome, pack, unpack
from trajectories.errors import ConfigError, UsageError

TOLD = outcome_without_run(ConfigError("There is no key.", "Set one."), "d" * 64, "b" * 40)
DIFF = b"--- a/x\n+++ b/x\n\xff\n"


def member(name: str, data: bytes = b"", **more: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in more.items():
        setattr(info, field, value)
    return info, data


def tar(*members: tuple[tarfile.TarInfo, bytes], format: int = tarfile.USTAR_FORMAT) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=format) as opened:
        for info, data in members:
            opened.addfile(info, io.BytesIO(data))
    return made.getvalue()


def told(**more: Any) -> bytes:
    return json.dumps({**asdict(TOLD), **more}).encode()


def read(folder: Path, data: bytes) -> tuple[Outcome, bytes]:
    file = folder / "handover.tar"
    file.write_bytes(data)
    return unpack(file, sha256(data).hexdigest())


def whole(text: bytes, diff: bytes = DIFF) -> bytes:
    return tar(member("outcome.json", text), member("patch.diff", diff))


def test_what_is_packed_is_unpacked_and_packed_twice_is_same(tmp_path):
    outcome = replace(TOLD, title="Ü \ud800", places=({"path": "a.py", "line": 3, "name": "f", "why": "named"},))
    digest = pack(outcome, DIFF, tmp_path / "one")
    assert pack(outcome, DIFF, tmp_path / "two") == digest
    read, diff = unpack(tmp_path / "one", digest)
    assert (read.title, read.places, read.exit, diff) == ("Ü ?", outcome.places, 3, DIFF)
    assert asdict(replace(read, title="")) == json.loads(json.dumps(asdict(replace(outcome, title="")))) | {
        "places": tuple(outcome.places),
        "tried": (),
        "attempts": (),
    }


STRANGE: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "no tar": lambda: b"x" * 2048,
    "one member": lambda: tar(member("outcome.json", told())),
    "three members": lambda: tar(member("outcome.json", told()), member("patch.diff"), member("patch.diff")),
    "other order": lambda: tar(member("patch.diff"), member("outcome.json", told())),
    "other name": lambda: tar(member("outcome.json", told()), member("../patch.diff")),
    "absolute name": lambda: tar(member("/outcome.json", told()), member("patch.diff")),
    "link": lambda: tar(
        member("outcome.json", told()), member("patch.diff", type=tarfile.SYMTYPE, linkname="/etc/passwd")
    ),
    "hard link": lambda: tar(
        member("outcome.json", told()), member("patch.diff", type=tarfile.LNKTYPE, linkname="outcome.json")
    ),
    "device": lambda: tar(member("outcome.json", told()), member("patch.diff", type=tarfile.CHRTYPE)),
    "mode": lambda: tar(member("outcome.json", told(), mode=0o4755), member("patch.diff")),
    "time": lambda: tar(member("outcome.json", told(), mtime=1), member("patch.diff")),
    "pax": lambda: tar(
        member("outcome.json", told(), pax_headers={"path": "x"}), member("patch.diff"), format=tarfile.PAX_FORMAT
    ),
    "sparse": lambda: tar(member("outcome.json", told(), type=tarfile.GNUTYPE_SPARSE), member("patch.diff")),
    "more behind the end": lambda: whole(told()) + b"\0" * 512,
    "huge member": lambda: whole(told())[:124] + b"77777777777\0" + whole(told())[136:],
    "negative size": lambda: whole(told())[:124] + b"\xff" * 12 + whole(told())[136:],
}


@pytest.mark.parametrize("kind", STRANGE)
def test_another_file_is_refused_whatever_its_digest(tmp_path, kind):
    with pytest.raises(UsageError, match="does not consist of"):
        read(tmp_path, STRANGE[kind]())


def test_another_digest_is_refused(tmp_path):
    pack(TOLD, DIFF, tmp_path / "handover.tar")
    for digest in ("", "0" * 64):
        with pytest.raises(UsageError, match="not the file that the solve job wrote"):
            unpack(tmp_path / "handover.tar", digest)
    with pytest.raises(UsageError, match="cannot be read"):
        unpack(tmp_path / "none.tar", "")


def test_file_that_is_too_large_is_not_read_to_its_end(tmp_path):
    with (tmp_path / "large").open("wb") as file:
        file.truncate(MOST_BYTES * 100)
    with pytest.raises(UsageError, match="is not the file that"):
        unpack(tmp_path / "large", "")


RESULT = dict(TOLD.result)
FAULTS = {
    "no JSON": b"{",
    "a list": b"[]",
    "an unknown field": told(repository="octo/other"),
    "a missing field": json.dumps({"errand": "x"}).encode(),
    "a text for a number": told(exit="0"),
    "a number for a text": told(title=3),
    "another exit than the result's": told(exit=0),
    "an unknown field in the result": told(result={**RESULT, "pull_request": 3}),
    "an unknown field in the verdict": told(result={**RESULT, "verdict": {**RESULT["verdict"], "x": 1}}),
    "a kind of verdict nobody knows": told(result={**RESULT, "verdict": {**RESULT["verdict"], "kind": "sure"}}),
    "dollars that are no number": told(result={**RESULT, "usage": {**RESULT["usage"], "dollars": float("nan")}}),
    "dollars below zero": told(result={**RESULT, "usage": {**RESULT["usage"], "dollars": -1}}),
    "a place with more": told(places=[{"path": "a", "line": 1, "name": "", "why": "", "html": "x"}]),
    "a title of many words": told(title="x " * 2_001),
    "an answer of many words": told(answer="x " * 20_001),
    "a test of a long name": told(result={**RESULT, "verdict": {**RESULT["verdict"], "tests": ["x" * 4_001]}}),
    "very deep": b'{"result":' + b"[" * 100_000,
    "half a surrogate": told(title="x").replace(b'"x"', b'"\\ud800"'),
    "another version": told(version=2),
}


@pytest.mark.parametrize("where", ["", "result"])
def test_name_that_is_strangers_is_not_said(tmp_path, where):
    odd = {"##[set-output name=outcome]x": 1}
    with pytest.raises(UsageError) as raised:
        read(tmp_path, whole(told(result={**RESULT, **odd}) if where else told(**odd)))
    assert f"is invalid in {where or 'its structure'}: " in str(raised.value)
    assert "set-output" not in str(raised.value)


@pytest.mark.parametrize("fault", FAULTS)
def test_outcome_of_another_form_is_refused(tmp_path, fault):
    with pytest.raises(UsageError, match=r"is invalid|has version 2"):
        read(tmp_path, whole(FAULTS[fault]))
