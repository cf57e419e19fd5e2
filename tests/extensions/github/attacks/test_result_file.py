"""Manipulated result files. The job that runs untrusted code writes them, so publishing treats them as untrusted."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from dataclasses import asdict
from hashlib import sha256

import pytest

from tests.extensions.github.attacks.attack_repository import GOOD_DIFF, SOLVED, AttackTarget, JobResult, outcome, tar


def check_not_published(target: AttackTarget, result: JobResult) -> None:
    assert "Traceback" not in result.log
    assert target.refs == {"refs/heads/main"}
    assert list(target.repo.pulls) == []


def tar_member(name: str, **more: object) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    for key, value in more.items():
        setattr(member, key, value)
    return member


def test_replaced_artifact_is_refused(target: AttackTarget) -> None:
    """The digest is an output of the job that wrote the file."""
    digest = target.write(target.task())
    original = tar(outcome(digest, target.base), GOOD_DIFF)
    swapped = tar(outcome(digest, target.base, title="Swapped"), GOOD_DIFF)
    result = target.publish_handover(digest, swapped, sha256(original).hexdigest())
    check_not_published(target, result)
    assert result.code != 0


@pytest.mark.parametrize("digest", ["", "0" * 64, "*"], ids=["none", "other", "star"])
def test_artifact_without_matching_digest_is_refused(target: AttackTarget, digest: str) -> None:
    own_digest = target.write(target.task())
    result = target.publish_handover(own_digest, tar(outcome(own_digest, target.base), GOOD_DIFF), digest)
    check_not_published(target, result)


@pytest.mark.parametrize("digest", ["", "0" * 64], ids=["none", "other"])
def test_replaced_task_is_refused_by_publish_job(target: AttackTarget, digest: str) -> None:
    """The task's digest is an output of the gate; without a match nothing is written."""
    own_digest = target.write(target.task(number=1))
    result = target.publish_handover(digest, tar(outcome(own_digest, target.base), GOOD_DIFF))
    check_not_published(target, result)
    assert result.code == 2
    assert target.write_requests == []


def test_replaced_task_is_refused_by_solve_job(target: AttackTarget) -> None:
    """The digest is checked before any request to a model."""
    target.write(target.task())
    result = target.solve("0" * 64, "--model", "scripted:/nowhere", "--workspace", "local")
    assert result.code == 2
    assert not target.handover_file.exists()


def test_result_file_of_another_task_is_refused(target: AttackTarget) -> None:
    """The file contains the task's digest, so an earlier run's file does not fit."""
    other = target.write(target.task(request="another"))
    digest = target.write(target.task())
    assert other != digest
    check_not_published(target, target.publish_handover(digest, tar(outcome(other, target.base), GOOD_DIFF)))


def test_result_file_for_another_base_is_refused(target: AttackTarget) -> None:
    """The base must be the task's."""
    digest = target.write(target.task())
    check_not_published(target, target.publish_handover(digest, tar(outcome(digest, "f" * 40), GOOD_DIFF)))


def test_result_file_does_not_choose_its_destination(target: AttackTarget) -> None:
    """Repository, issue, branch and base are the task's; such fields in the file are ignored."""
    other = target.hub.repo("octo/other", git=None)
    digest = target.write(target.task())
    fields = asdict(outcome(digest, target.base)) | {
        "repository": "octo/other",
        "number": 99,
        "branch": "main",
        "target": "main",
    }
    target.publish_handover(digest, tar(json.dumps(fields).encode(), GOOD_DIFF))
    assert list(other.pulls) == []
    assert target.refs <= {"refs/heads/main", "refs/heads/swe-agent/issue-1"}
    assert not [line for line in target.write_requests if "octo/other" in line or "/99" in line]


MEMBERS = {
    "traversal": tar_member("../../outside"),
    "absolute": tar_member("/tmp/swe-agent-attack"),
    "link": tar_member("patch.diff", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
    "hard link": tar_member("outcome.json", type=tarfile.LNKTYPE, linkname="/etc/passwd"),
    "device": tar_member("null", type=tarfile.CHRTYPE),
    "fifo": tar_member("pipe", type=tarfile.FIFOTYPE),
    "folder": tar_member("patch.diff", type=tarfile.DIRTYPE),
    "second outcome": tar_member("outcome.json"),
    "second patch": tar_member("patch.diff"),
    "other": tar_member("evil.py"),
}


@pytest.mark.parametrize("member", MEMBERS.values(), ids=[name.replace(" ", "-") for name in MEMBERS])
def test_tar_with_additional_member_is_refused(target: AttackTarget, member: tarfile.TarInfo) -> None:
    """There must be exactly two plain files with the right names, which are read in memory and never unpacked."""
    digest = target.write(target.task())
    data = b"" if member.type != tarfile.REGTYPE else b"x"
    check_not_published(
        target, target.publish_handover(digest, tar(outcome(digest, target.base), GOOD_DIFF, (member, data)))
    )


def tar_header(name: str, **more: object) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as opened:
        opened.fileobj.write(tar_member(name, **more).tobuf())  # addfile refuses a size without data
    return file.getvalue()


def huge_header() -> bytes:
    """Return a header that promises a terabyte."""
    return tar_header("patch.diff", size=1 << 40)


BROKEN = {
    "nothing": b"x",
    "a terabyte promised": huge_header(),
    "gzip": gzip.compress(b"\0" * 50_000_000),
    "links only": tar_header("outcome.json", type=tarfile.SYMTYPE, linkname="/proc/self/environ"),
    "many members": tar_member("0").tobuf() * 50_000,
    "zeros": b"\0" * 30_000_000,
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=[name.replace(" ", "-") for name in BROKEN])
def test_invalid_tar_is_refused(target: AttackTarget, data: bytes) -> None:
    """Size and structure are limited."""
    digest = target.write(target.task())
    check_not_published(target, target.publish_handover(digest, data))


INVALID_OUTCOMES = {
    "deep": b"[" * 200_000,
    "no object": b"[]",
    "not UTF-8": b'{"errand": "\xff"}',
    "huge number": b'{"errand": "", "exit": ' + b"9" * 100_000 + b"}",
    "huge": b'{"errand": "' + b"x" * 40_000_000 + b'"}',
}


@pytest.mark.parametrize(
    "outcome_json", INVALID_OUTCOMES.values(), ids=[name.replace(" ", "-") for name in INVALID_OUTCOMES]
)
def test_invalid_outcome_is_refused(target: AttackTarget, outcome_json: bytes) -> None:
    """The file is parsed as untrusted input: one message, no traceback."""
    digest = target.write(target.task())
    check_not_published(target, target.publish_handover(digest, tar(outcome_json, GOOD_DIFF)))


CONTRADICTIONS = {
    "unproven as verified": {"result": {**SOLVED, "verdict": {**SOLVED["verdict"], "kind": "unproven"}}},
    "no red as verified": {"result": {**SOLVED, "verdict": {**SOLVED["verdict"], "red": False}}},
    "verdict missing": {"result": {}},
    "verdict of another kind": {"result": {**SOLVED, "verdict": "verified"}},
    "exit unknown": {"exit": 999},
    "exit negative": {"exit": -1},
    "exits that differ": {"exit": 0, "result": {**SOLVED, "exit": 6}},
    "no fix with a patch": {"exit": 1},
}


@pytest.mark.parametrize("changes", CONTRADICTIONS.values(), ids=[name.replace(" ", "-") for name in CONTRADICTIONS])
def test_contradictory_outcome_is_not_published(target: AttackTarget, changes: dict) -> None:
    """Every part must agree that the patch is verified."""
    check_not_published(target, target.publish(**changes))


def test_verified_result_without_patch_is_not_published(target: AttackTarget) -> None:
    check_not_published(target, target.publish(diff=b""))


def test_missing_result_file_is_reported(target: AttackTarget) -> None:
    """The issue gets a comment, and nothing else happens."""
    result = target.publish(diff=None)
    check_not_published(target, result)
    assert target.bot_comments(target.issues[0])


def test_dry_run_writes_nothing(target: AttackTarget) -> None:
    """A dry run stops what would otherwise open a pull request."""
    target.set_rules(dry_run="true")
    result = target.publish()
    check_not_published(target, result)
    assert target.write_requests == []
    assert "core.py" in result.summary
