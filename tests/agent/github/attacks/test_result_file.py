"""What comes from the job with the hostile code is read as a stranger's, and bound by digest."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from dataclasses import asdict
from hashlib import sha256

import pytest

from tests.agent.github.attacks.attack_repository import GOOD, SOLVED, Done, Place, outcome, tar


def stopped(place: Place, done: Done) -> None:
    assert "Traceback" not in done.said
    assert place.refs == {"refs/heads/main"}
    assert list(place.repo.pulls) == []


def named(name: str, **more: object) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    for key, value in more.items():
        setattr(member, key, value)
    return member


def test_artifact_swapped(place: Place) -> None:
    """Stopped by the digest, an output of the job that wrote it."""
    digest = place.write(place.errand())
    good = tar(outcome(digest, place.base), GOOD)
    swapped = tar(outcome(digest, place.base, title="Swapped"), GOOD)
    done = place.publish_these(digest, swapped, sha256(good).hexdigest())
    stopped(place, done)
    assert done.code != 0


@pytest.mark.parametrize("digest", ["", "0" * 64, "*"], ids=["none", "other", "star"])
def test_artifact_without_its_digest(place: Place, digest: str) -> None:
    """Stopped by the digest: without one nothing is believed."""
    own = place.write(place.errand())
    done = place.publish_these(own, tar(outcome(own, place.base), GOOD), digest)
    stopped(place, done)


@pytest.mark.parametrize("digest", ["", "0" * 64], ids=["none", "other"])
def test_errand_swapped(place: Place, digest: str) -> None:
    """Stopped by the errand's digest, an output of the gate; nothing at all is written then."""
    own = place.write(place.errand(number=1))
    done = place.publish_these(digest, tar(outcome(own, place.base), GOOD))
    stopped(place, done)
    assert done.code == 2
    assert place.written == []


def test_errand_swapped_before_solving(place: Place) -> None:
    """Stopped by the errand's digest before any model is asked."""
    place.write(place.errand())
    done = place.solve("0" * 64, "--model", "scripted:/nowhere", "--workspace", "local")
    assert done.code == 2
    assert not place.handover_file.exists()


def test_handover_of_another_errand(place: Place) -> None:
    """Stopped by the errand's digest inside: an earlier run's handover is not this one's."""
    other = place.write(place.errand(request="another"))
    digest = place.write(place.errand())
    assert other != digest
    stopped(place, place.publish_these(digest, tar(outcome(other, place.base), GOOD)))


def test_handover_for_another_base(place: Place) -> None:
    """Stopped by the base, which the errand names."""
    digest = place.write(place.errand())
    stopped(place, place.publish_these(digest, tar(outcome(digest, "f" * 40), GOOD)))


def test_handover_that_names_where_it_goes(place: Place) -> None:
    """Stopped by reading none of it: repository, issue, branch and base are the errand's."""
    other = place.hub.repo("octo/other", git=None)
    digest = place.write(place.errand())
    told = asdict(outcome(digest, place.base)) | {
        "repository": "octo/other",
        "number": 99,
        "branch": "main",
        "target": "main",
    }
    place.publish_these(digest, tar(json.dumps(told).encode(), GOOD))
    assert list(other.pulls) == []
    assert place.refs <= {"refs/heads/main", "refs/heads/swe-agent/issue-1"}
    assert not [line for line in place.written if "octo/other" in line or "/99" in line]


MEMBERS = {
    "traversal": named("../../outside"),
    "absolute": named("/tmp/swe-agent-attack"),
    "link": named("patch.diff", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    "hard link": named("outcome.json", type=tarfile.LNKTYPE, linkname="/etc/passwd"),
    "device": named("null", type=tarfile.CHRTYPE),
    "fifo": named("pipe", type=tarfile.FIFOTYPE),
    "folder": named("patch.diff", type=tarfile.DIRTYPE),
    "second outcome": named("outcome.json"),
    "second patch": named("patch.diff"),
    "other": named("evil.py"),
}


@pytest.mark.parametrize("member", MEMBERS.values(), ids=[name.replace(" ", "-") for name in MEMBERS])
def test_tar_with_member_more(place: Place, member: tarfile.TarInfo) -> None:
    """Stopped by the members being two plain files of these names, once each, read in memory and never unpacked."""
    digest = place.write(place.errand())
    data = b"" if member.type != tarfile.REGTYPE else b"x"
    stopped(place, place.publish_these(digest, tar(outcome(digest, place.base), GOOD, (member, data))))


def only(name: str, **more: object) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as opened:
        opened.fileobj.write(named(name, **more).tobuf())  # addfile refuses a size without data
    return file.getvalue()


def sparse() -> bytes:
    """A header that promises a terabyte."""
    return only("patch.diff", size=1 << 40)


BROKEN = {
    "nothing": b"x",
    "a terabyte promised": sparse(),
    "gzip": gzip.compress(b"\0" * 50_000_000),
    "links only": only("outcome.json", type=tarfile.SYMTYPE, linkname="/proc/self/environ"),
    "many members": named("0").tobuf() * 50_000,
    "zeros": b"\0" * 30_000_000,
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=[name.replace(" ", "-") for name in BROKEN])
def test_file_that_is_no_handover(place: Place, data: bytes) -> None:
    """Stopped by caps and by the form."""
    digest = place.write(place.errand())
    stopped(place, place.publish_these(digest, data))


TOLD = {
    "deep": b"[" * 200_000,
    "no object": b"[]",
    "not UTF-8": b'{"errand": "\xff"}',
    "huge number": b'{"errand": "", "exit": ' + b"9" * 100_000 + b"}",
    "huge": b'{"errand": "' + b"x" * 40_000_000 + b'"}',
}


@pytest.mark.parametrize("told", TOLD.values(), ids=[name.replace(" ", "-") for name in TOLD])
def test_outcome_that_is_none(place: Place, told: bytes) -> None:
    """Stopped by reading it as a stranger's: one sentence, no traceback."""
    digest = place.write(place.errand())
    stopped(place, place.publish_these(digest, tar(told, GOOD)))


LIES = {
    "unproven as verified": {"result": {**SOLVED, "verdict": {**SOLVED["verdict"], "kind": "unproven"}}},
    "no red as verified": {"result": {**SOLVED, "verdict": {**SOLVED["verdict"], "red": False}}},
    "verdict missing": {"result": {}},
    "verdict of another kind": {"result": {**SOLVED, "verdict": "verified"}},
    "exit unknown": {"exit": 999},
    "exit negative": {"exit": -1},
    "exits that differ": {"exit": 0, "result": {**SOLVED, "exit": 6}},
    "no fix with a patch": {"exit": 1},
}


@pytest.mark.parametrize("told", LIES.values(), ids=[name.replace(" ", "-") for name in LIES])
def test_outcome_that_contradicts_itself(place: Place, told: dict) -> None:
    """Stopped by taking the weaker: no pull request but for what is verified in all its parts."""
    stopped(place, place.publish(**told))


def test_verified_without_patch(place: Place) -> None:
    """Stopped by there being nothing to publish."""
    stopped(place, place.publish(diff=b""))


def test_solve_died_without_handover(place: Place) -> None:
    """The issue is told, and nothing else happens."""
    done = place.publish(diff=None)
    stopped(place, done)
    assert place.said_by_bot(place.issues[0])


def test_dry_run_writes_nothing(place: Place) -> None:
    """Stopped by `dry-run`, with the same handover that makes a pull request else."""
    place.rules(dry_run="true")
    done = place.publish()
    stopped(place, done)
    assert place.written == []
    assert "core.py" in done.summary
