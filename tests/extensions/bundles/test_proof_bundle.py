"""Evidence bundles: what they contain, and that nothing can be changed in one without a report."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extensions.bundles import proof_bundle
from extensions.bundles.proof_bundle import Bundle, read_bundle, source_of
from extensions.bundles.proof_claims import (
    ProofClaims,
    decode_claims,
    encode_claims,
    find_differences,
    find_environment_differences,
    find_evidence_difference,
)
from trajectories.errors import UsageError

COMMIT, TREE, PATCHED = "a" * 40, "b" * 40, "c" * 40
CLAIMS = ProofClaims(
    verdict={
        "kind": "verified",
        "granularity": "test",
        "red": True,
        "green": True,
        "red_again": True,
        "no_loss": True,
        "generality": "shown",
        "evidence": "earlier tests",
        "tests": ["tests/test_a.py::test_a"],
        "lost": [],
        "contradicted": [],
        "flaky": ["tests/test_b.py::test_b"],
        "commands": ["git apply patch.diff", "python -m pytest"],
    },
    outcomes={"without": {"tests/test_b.py::test_c": "passed"}, "with": {"tests/test_b.py::test_c": "passed"}},
    command="python -m pytest",
    environment={"workspace": "docker", "image": "python:3.12", "setup": ["pip install -e ."]},
    source=source_of("https://example.org/calc.git", COMMIT, TREE, PATCHED),
    versions={"swe-agent": "0.1.0", "python": "3.12.0"},
)


def files_of(claims: ProofClaims, reproduction: tuple[str, ...] = (), command: str = "") -> dict[str, bytes]:
    files = {
        "patch.diff": b"diff --git a/a.py b/a.py\n",
        "issue.json": json.dumps({"title": "A bug", "body": "", "url": ""}).encode(),
        "claims.json": encode_claims(claims),
        "proof.sh": proof_bundle.portable_script(COMMIT, claims.tests("commands"), claims.environment).encode(),
    }
    given = {"reproduction": list(reproduction), "command": command}
    return files | {"statement.json": json.dumps(proof_bundle._statement(claims, given, files)).encode()}


@pytest.fixture
def read(tmp_path: Path) -> Callable[[dict[str, bytes]], Bundle]:
    def read(files: dict[str, bytes]) -> Bundle:
        (tmp_path / "proof.tar").write_bytes(proof_bundle._archive(files))
        return read_bundle(tmp_path / "proof.tar")

    return read


def test_claim_of_earlier_version_is_read_without_evidence(read) -> None:
    earlier = {name: value for name, value in CLAIMS.verdict.items() if name != "evidence"}
    claims = read(files_of(replace(CLAIMS, verdict=earlier))).claims
    assert (claims.verdict["kind"], claims.verdict["evidence"]) == ("plausible", "none")


def test_bundle_is_read_as_it_was_written(read) -> None:
    bundle = read(files_of(CLAIMS, ("tests/test_a.py",), "make test"))
    assert (bundle.claims, bundle.problems) == (CLAIMS, ())
    assert (bundle.base, bundle.reproduction, bundle.command) == (COMMIT, ("tests/test_a.py",), "make test")
    assert bundle.issue.trust == "stranger"
    assert list(find_differences(bundle.claims, CLAIMS)) == []


def test_examiner_file_is_optional_and_part_of_the_statement(read) -> None:
    files = files_of(CLAIMS)
    stated = files.pop("statement.json")
    files["examiner.json"] = b"{}"
    assert read(files | {"statement.json": stated}).problems == (
        "statement.json does not describe the bundle's other files.",
    )
    given = {"reproduction": [], "command": ""}
    stated = json.dumps(proof_bundle._statement(CLAIMS, given, files)).encode()
    assert read(files | {"statement.json": stated}).problems == ()


def other(value: Any) -> Any:
    """Return another value of the same kind."""
    if isinstance(value, bool) or value is None:
        return not value
    return f"{value}x" if isinstance(value, str) else [*value, "other"]


NAME = "tests/test_b.py::test_c"
RESULTS: dict[str, dict[str, str]] = {
    "failed": {NAME: "failed"},
    "nothing": {},
    "more": {NAME: "passed", "x": "passed"},
}
CHANGES = {
    **{f"verdict {name}": {"verdict": CLAIMS.verdict | {name: other(CLAIMS.verdict[name])}} for name in CLAIMS.verdict},
    **{f"no {name}": {"verdict": CLAIMS.verdict | {name: None}} for name in ("red", "green", "red_again", "no_loss")},
    **{
        f"other {name}": {"source": CLAIMS.source | {name: COMMIT[:-1] + "d"}}
        for name in CLAIMS.source
        if name != "repository"
    },
    **{
        f"{run}: {name}": {"outcomes": CLAIMS.outcomes | {run: results}}
        for run in ("with", "without")
        for name, results in RESULTS.items()
    },
    "other command": {"command": "true"},
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_claim_is_reported(read, change: str) -> None:
    claims = replace(CLAIMS, **CHANGES[change])
    bundle = read(files_of(claims))
    assert [*bundle.problems, *find_differences(bundle.claims, CLAIMS)]


@pytest.mark.parametrize("name", ["patch.diff", "issue.json", "claims.json", "proof.sh", "statement.json"])
def test_file_that_was_changed_alone_is_reported(read, name: str) -> None:
    files = files_of(CLAIMS)
    new = {"issue.json": b'{"title": "Another", "body": "", "url": ""}', "statement.json": files[name] + b" "}
    if name == "claims.json":
        new[name] = encode_claims(replace(CLAIMS, command="true"))
    if name == "statement.json":
        stated = json.loads(files[name])
        stated["predicate"]["result"] = "FAILED"
        new[name] = json.dumps(stated).encode()
    assert read(files | {name: new.get(name, files[name] + b"rm -rf .\n")}).problems


@pytest.mark.parametrize("name", ["-p evil", "--collect-only", "", " ", "a\nb", "x" * 2_000])
def test_option_is_no_name_of_a_test(read, name: str) -> None:
    with pytest.raises(UsageError, match="not the name of a test"):
        read(files_of(CLAIMS, (name,)))


@pytest.mark.parametrize(
    "change",
    [
        {"statement.json": b"[]"},
        {"statement.json": b"{}"},
        {"statement.json": b'{"predicate": {"proof": {"reproduction": 3}}}'},
        {"issue.json": b"not json"},
        {"claims.json": b"{}"},
        {"claims.json": b'{"verdict": {"kind": "verified"}}'},
        {"claims.json": b"[" * 100_000},
        {"claims.json": encode_claims(CLAIMS).replace(b'["tests/test_a.py::test_a"]', b"3")},
        {"claims.json": encode_claims(CLAIMS).replace(COMMIT.encode(), b"HEAD")},
    ],
)
def test_malformed_bundle_is_refused_in_one_sentence(read, change: dict[str, bytes]) -> None:
    with pytest.raises(UsageError):
        read(files_of(CLAIMS) | change)


def test_archive_may_hold_only_plain_files_of_known_names(tmp_path: Path) -> None:
    target = tmp_path / "proof.tar"
    with tarfile.open(target, "w") as archive:
        for name, data in files_of(CLAIMS).items():
            about = tarfile.TarInfo(name)
            if name == "patch.diff":
                about.type, about.linkname = tarfile.SYMTYPE, "/etc/passwd"
            else:
                about.size = len(data)
            archive.addfile(about, io.BytesIO(data))
    with pytest.raises(UsageError, match=r"no patch\.diff"):
        read_bundle(target)
    for data in (b"", b"not a tar", b"\x1f\x8b" + b"\0" * 600):
        target.write_bytes(data)
        with pytest.raises(UsageError):
            read_bundle(target)
    with pytest.raises(UsageError):
        read_bundle(tmp_path / "nowhere.tar")


@given(st.binary(max_size=400))
def test_any_bytes_are_claims_or_a_sentence(data: bytes) -> None:
    with suppress(UsageError):
        decode_claims(data)


@pytest.mark.parametrize("name", CLAIMS.environment)
def test_other_environment_is_reported_apart(name: str) -> None:
    claims = replace(CLAIMS, environment=CLAIMS.environment | {name: other(CLAIMS.environment[name])})
    assert list(find_environment_differences(claims, CLAIMS))
    assert list(find_differences(claims, CLAIMS)) == []


def test_environment_of_an_earlier_bundle_is_compared_by_what_it_records() -> None:
    own = replace(CLAIMS, environment=CLAIMS.environment | {"python": "3.12.4", "packages": ["a==1"]})
    assert list(find_environment_differences(CLAIMS, own)) == []
    assert list(find_environment_differences(own, CLAIMS))


def test_only_packages_that_differ_are_named() -> None:
    claimed, own = (
        replace(CLAIMS, environment={"packages": ["a==1", *packages, "z==1"]}) for packages in (["b==1"], ["b==2"])
    )
    (sentence,) = find_environment_differences(claimed, own)
    assert sentence == 'The bundle\'s packages is ["b==1"]; here it is ["b==2"].'


def test_tar_could_unpack_no_other_files_than_those_that_are_read(tmp_path: Path) -> None:
    target, files = tmp_path / "proof.tar", files_of(CLAIMS)
    for name in ("patch.diff", "./proof.sh", "more.txt"):
        target.write_bytes(proof_bundle._archive(files))
        with tarfile.open(target, "a") as archive:
            about = tarfile.TarInfo(name)
            about.size = 4
            archive.addfile(about, io.BytesIO(b"evil"))
        with pytest.raises(UsageError, match="is not a bundle"):
            read_bundle(target)
    target.write_bytes(proof_bundle._archive(files) + b"more")
    with pytest.raises(UsageError, match="is not a bundle"):
        read_bundle(target)


def test_member_of_false_size_is_refused(tmp_path: Path) -> None:
    about = tarfile.TarInfo("patch.diff")
    about.size = 3 << 30
    (tmp_path / "proof.tar").write_bytes(about.tobuf() + b"\0" * 1024)
    with pytest.raises(UsageError):
        read_bundle(tmp_path / "proof.tar")


@pytest.mark.parametrize(
    "claims",
    [
        replace(CLAIMS, outcomes=CLAIMS.outcomes | {"other": {"t": "failed"}}),
        replace(CLAIMS, verdict=CLAIMS.verdict | {"reviewed by": "NIST"}),
    ],
)
def test_unknown_claims_are_refused(claims: ProofClaims) -> None:
    with pytest.raises(UsageError):
        decode_claims(encode_claims(claims))
    with pytest.raises(UsageError):
        decode_claims(encode_claims(CLAIMS).replace(b'"green": true', b'"green": false, "green": true'))


def test_same_files_give_the_same_archive() -> None:
    assert proof_bundle._archive(files_of(CLAIMS)) == proof_bundle._archive(files_of(CLAIMS))


def test_other_evidence_for_a_complete_proof_is_no_contradiction() -> None:
    """Whether a test that the bundle names is independent evidence depends on who names it."""
    earlier, none = (
        replace(CLAIMS, verdict={**CLAIMS.verdict, "kind": kind, "evidence": evidence})
        for kind, evidence in (("verified", "earlier tests"), ("plausible", "none"))
    )
    assert list(find_differences(earlier, none)) == list(find_differences(none, earlier)) == []
    expected = "The bundle says verified, with evidence: earlier tests; here it is plausible, with evidence: none."
    assert find_evidence_difference(earlier, none) == expected
    unproven = replace(none, verdict={**none.verdict, "kind": "unproven", "evidence": ""})
    odd = replace(none, verdict={**none.verdict, "evidence": ["none"]})
    for other_claims in (unproven, odd):
        assert find_evidence_difference(earlier, other_claims) == ""
        assert list(find_differences(earlier, other_claims))
