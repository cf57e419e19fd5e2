"""The evidence bundle of a proof: an archive with the patch, the issue, what the proof claims, and their digests.

`statement.json` is an unsigned in-toto statement about the patch (https://in-toto.io/Statement/v1) with the predicate
test-result (https://in-toto.io/attestation/test-result/v0.1).
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.run_state.proposed_tree import is_test_name
from agent.run_state.turn_state import CHALLENGER_BRANCH, EXAMINER_BRANCH, EXAMINER_RECORDS
from extensions.bundles.proof_claims import ProofClaims, claims_of, decode_claims, encode_claims
from extensions.bundles.proof_script import PATCH, earlier_script, portable_script
from trajectories.errors import UsageError
from trajectories.file_limits import check_values, open_regular
from trajectories.journal import write_durably
from trajectories.records import Issue
from trajectories.verdict import COMPLETE, Verdict

if TYPE_CHECKING:
    from trajectories.git_store.trees import Trees
    from trajectories.journal import Journal
    from trajectories.records import Run
    from trajectories.trajectory import Trajectory

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://in-toto.io/attestation/test-result/v0.1"
ISSUE, CLAIMS, SCRIPT, STATED = "issue.json", "claims.json", "proof.sh", "statement.json"
EXAMINER_FILE = "examiner.json"
FILES = (PATCH, ISSUE, CLAIMS, SCRIPT, EXAMINER_FILE, STATED)
"""The files of a bundle in their order; only a bundle whose run asked an examiner has EXAMINER_FILE."""
MOST_BYTES = 50_000_000
MOST_TESTS = 200
COMMIT = re.compile(r"[0-9a-f]{40}")
REMAKE = "Make the bundle again with `swe-agent prove --bundle`."


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a bundle contains; none of it is trusted. `base` is the commit that the patch `diff` applies to,
    `reproduction` the tests that the proof was given, and `command` the test command that the user gave, or ""."""

    base: str
    diff: str
    issue: Issue
    reproduction: tuple[str, ...]
    command: str
    claims: ProofClaims
    problems: tuple[str, ...] = ()


def write_bundle(
    file: Path, run: Run, journal: Journal, trees: Trees, repository: str, hide: Callable[[str], str]
) -> None:
    """Write the bundle of the last proof of a run; `repository` is the address of the user's repository, or "".
    `hide` masks secrets in a text.

    Raises UsageError if the run has no proof, or started with uncommitted changes, so that no one else has its base.
    """
    if run.base.changes:
        raise UsageError(
            "The run started with uncommitted changes, so no one else has its base.", "Commit them, and prove again."
        )
    step = next((step for step in reversed(journal.trajectory.all_steps()) if step.author == "proof"), None)
    asked = step.observations[0].data["asked"] if step else {}
    tree = step.tree if step else run.base.tree
    diff = trees.diff(run.base.tree, tree).encode("utf-8", "surrogateescape")
    source = source_of(repository, run.base.commit, run.base.tree, tree)
    claims = replace(claims_of(journal.trajectory, journal.recall), source=source)
    claims = decode_claims(hide(encode_claims(claims).decode()).encode())
    issue = {"title": run.issue.title, "body": run.issue.body, "url": run.issue.url}
    script = portable_script(run.base.commit, claims.tests("commands"), claims.environment)
    files = {
        PATCH: diff,
        ISSUE: hide(json.dumps(issue, indent=1)).encode(),
        CLAIMS: encode_claims(claims),
        SCRIPT: script.encode("utf-8", "surrogateescape"),
    }
    if examined := examiner_record(journal.trajectory):
        files[EXAMINER_FILE] = hide(json.dumps(examined, indent=1)).encode()
    given = {"reproduction": list(asked["reproduction"]), "command": hide(str(run.settings.get("test", "")))}
    statement = json.dumps(_statement(claims, given, files), indent=1).encode()
    try:
        write_durably(file, _archive(files | {STATED: statement}))
    except OSError as error:
        raise UsageError(f"The bundle {file} cannot be written: {error.strerror}.", "Give another file.") from error


def examiner_record(trajectory: Trajectory) -> dict[str, Any]:
    """Return how the blind tests were made and what they did: the messages to the examiner and its answers, those of
    the challenger, the recorded hash and results, and the final verdict; nothing if no examiner was asked."""
    messages, challenge = (_messages(trajectory, branch) for branch in (EXAMINER_BRANCH, CHALLENGER_BRANCH))
    recorded = {name: once.value for (_, name), once in trajectory.results.items() if name.endswith(EXAMINER_RECORDS)}
    verdict = trajectory.exit.verdict if trajectory.exit else Verdict()
    result = {"kind": verdict.kind, "evidence": verdict.evidence, "notes": list(verdict.notes)}
    return {"messages": messages, "challenge": challenge, **recorded, "verdict": result} if messages else {}


def _messages(trajectory: Trajectory, branch: str) -> list[dict[str, str]]:
    found = []
    for step in trajectory.all_steps():
        if step.branch == branch:
            reply = trajectory.replies.get((step.branch, step.reply or 0))
            text = reply.text if reply else "\n".join(seen.text for seen in step.observations)
            found.append({"author": step.author, "text": text})
    return found


def source_of(repository: str, commit: str, base_tree: str, tree: str) -> dict[str, str]:
    """Return what identifies base and patch."""
    return {"repository": repository, "base commit": commit, "base tree": base_tree, "patched tree": tree}


def _statement(claims: ProofClaims, given: Mapping[str, Any], files: Mapping[str, bytes]) -> dict[str, Any]:
    source = claims.source
    base = {"gitCommit": source["base commit"], "gitTree": source["base tree"]}
    named = (name for name in (ISSUE, CLAIMS, SCRIPT, EXAMINER_FILE) if name in files)
    others = [{"name": name, "digest": _digest(files[name])} for name in named]
    return {
        "_type": STATEMENT,
        "subject": [{"name": PATCH, "digest": _digest(files[PATCH])}],
        "predicateType": PREDICATE,
        "predicate": {
            "result": "PASSED" if claims.verdict["kind"] in COMPLETE else "FAILED",
            "configuration": [{"name": "base", "uri": source["repository"], "digest": base}, *others],
            "passedTests": claims.tests("tests") if claims.verdict["green"] else [],
            "failedTests": claims.tests("lost"),
            "proof": dict(given),
        },
    }


def _digest(data: bytes) -> dict[str, str]:
    return {"sha256": sha256(data).hexdigest()}


def _archive(files: Mapping[str, bytes]) -> bytes:
    """Return a tar archive that depends only on the files."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, data in files.items():
            about = tarfile.TarInfo(name)
            about.size, about.mode = len(data), 0o755 if name == SCRIPT else 0o644
            archive.addfile(about, io.BytesIO(data))
    return target.getvalue()


def read_bundle(file: Path) -> Bundle:
    """Return the content of a bundle; digests that do not match are among its `problems`.

    Nothing is unpacked. Raises UsageError for a file that is no bundle.
    """
    files = _read_files(file)
    statement, issue = (_json(files[name], name) for name in (STATED, ISSUE))
    claims = decode_claims(files[CLAIMS])
    predicate = statement.get("predicate")
    given = predicate.get("proof") if isinstance(predicate, dict) else None
    reproduction = given.get("reproduction") if isinstance(given, dict) else None
    base = claims.source.get("base commit", "")
    if not isinstance(given, dict) or not isinstance(reproduction, list) or not COMMIT.fullmatch(base):
        raise UsageError(f"{file} has no statement of a proof.", REMAKE)
    tests = tuple(map(str, reproduction[:MOST_TESTS]))
    if bad := [name for name in tests if not is_test_name(name)]:
        raise UsageError(f"{bad[0][:60]!r} in {file} is not the name of a test.", REMAKE)
    expected = _statement(claims, given, files) if _has_source(claims) else {}
    problems = [] if statement == expected else [f"{STATED} does not describe the bundle's other files."]
    commands = claims.tests("commands")
    scripts = (portable_script(base, commands, claims.environment), earlier_script(base, commands))
    if files[SCRIPT].decode("utf-8", "surrogateescape") not in scripts:
        problems.append(f"{SCRIPT} is not the one that the bundle's commands give.")
    title, body, url = (str(issue.get(name, "")) for name in ("title", "body", "url"))
    return Bundle(
        base,
        files[PATCH].decode("utf-8", "surrogateescape"),
        Issue(title, body, url, trust="stranger"),
        tests,
        str(given.get("command", "")),
        claims,
        tuple(problems),
    )


def _read_files(file: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    try:
        with open_regular(file) as stream:
            data = stream.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise UsageError(f"{file} has more than {MOST_BYTES:,} bytes.", REMAKE)
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for member in archive:
                if member.issparse() or member.size > len(data):
                    raise UsageError(f"{file} is not a bundle: {member.name[:60]!r} is too large.", REMAKE)
                if member.name in FILES and member.isreg() and (content := archive.extractfile(member)):
                    found.setdefault(member.name, content.read())
    except (OSError, tarfile.TarError) as error:
        why = getattr(error, "strerror", None) or "it is not a tar archive"
        raise UsageError(f"The bundle {file} cannot be read: {why}.", REMAKE) from error
    if missing := [name for name in FILES if name not in found and name != EXAMINER_FILE]:
        raise UsageError(f"{file} is not a bundle: it has no {missing[0]}.", REMAKE)
    if data != _archive({name: found[name] for name in FILES if name in found}):  # tar could unpack other files from it
        raise UsageError(f"{file} is not a bundle as `swe-agent prove --bundle` writes it.", REMAKE)
    return found


def _json(data: bytes, name: str) -> dict[str, Any]:
    try:
        check_values(data, name)
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name} in the bundle cannot be read.", REMAKE) from error
    if not isinstance(value, dict):
        raise UsageError(f"{name} in the bundle is not a JSON object.", REMAKE)
    return value


def _has_source(claims: ProofClaims) -> bool:
    return source_of("", "", "", "").keys() <= claims.source.keys()
