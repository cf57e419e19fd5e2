"""Evidence bundles checked by `swe-agent prove --check`: honest ones, and ones that somebody changed.

    python -m benchmarks.bundles CASES… [--count 50] [--image swe-agent-base:latest] [--out DIR]

CASES are files of `benchmarks/cases`. Each patch is proved in Docker with `--bundle`, and its bundle is checked in a
container, with a state of its own. Then each bundle is changed in one of the ways of CHANGES and checked again: the
change must be reported, and a test command from the bundle must not run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

from benchmarks.verdict_cases import create_repository
from extensions.bundles import proof_bundle
from extensions.bundles.proof_bundle import CLAIMS, ISSUE, SCRIPT, STATED, Bundle, read_bundle
from extensions.bundles.proof_claims import decode_claims, encode_claims
from extensions.bundles.proof_script import PATCH, portable_script
from tests.conftest import git

Files = dict[str, bytes]
SAME = "The proof is the same as in the bundle."
RAN = "swe-agent-bundle-command"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="+", type=Path)
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--image", default="swe-agent-base:latest")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rows = [case for file in options.cases for case in json.loads(file.read_text())]
    cases = [case for case in rows if case["runner"] != "node" and not case["command"]][: options.count]
    with tempfile.TemporaryDirectory() as scratch:
        out = options.out or Path(scratch)
        folders = {out / case["name"]: make(case, out / case["name"], options.image) for case in cases}
        made = {folder: bundle for folder, bundle in folders.items() if bundle}
        same = sum(is_same(folder, bundle, options.image) for folder, bundle in made.items())
        print(f"The same verdict and results from the bundle: {same} of {len(made)} ({len(cases)} patches proved).")
        found = 0
        for (folder, bundle), (name, change) in zip(made.items(), cycle(CHANGES.items()), strict=False):
            reported = is_reported(folder, bundle, change, options.image)
            found += reported
            if not reported:
                print(f"not reported: {folder.name}: {name}")
        print(f"Changed bundles whose change is reported: {found} of {len(made)}. Kinds: {', '.join(CHANGES)}.")


def make(case: Mapping[str, Any], folder: Path, image: str) -> Path | None:
    """Prove a case's patch with a bundle; return it."""
    repository, bundle = folder / "repository", folder / "proof.tar"
    create_repository(repository, case["base"])
    git(repository, "checkout", "-qb", "change")
    for path, text in case["patch"].items():
        if text is None:
            (repository / path).unlink()
        else:
            (repository / path).parent.mkdir(parents=True, exist_ok=True)
            (repository / path).write_text(text)
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "Change")
    git(repository, "checkout", "-q", "-")
    reproduction = [word for test in case["reproduction"][:1] for word in ("--reproduce", test)]
    done = prove(folder, image, "--branch", "change", "--text", case["issue"], "--bundle", str(bundle), *reproduction)
    if not bundle.exists():
        print(f"no bundle: {case['name']}: {done.get('error', done.get('word'))}")
    return bundle if bundle.exists() else None


def is_same(folder: Path, bundle: Path, image: str) -> bool:
    done = prove(folder, image, "--check", str(bundle))
    if done.get("word") != SAME:
        print(f"differs: {folder.name}: {done.get('word') or done.get('error')}")
        return False
    return bool(done["verdict"]["kind"] == read_bundle(bundle).claims.verdict["kind"])


def is_reported(folder: Path, bundle: Path, change: Callable[[Files, Bundle], bytes], image: str) -> bool:
    files = proof_bundle._read_files(bundle)
    changed = folder / "changed.tar"
    changed.write_bytes(change(files, read_bundle(bundle)))
    done = prove(folder, image, "--check", str(changed))
    journal = "".join(file.read_text() for file in (folder / "checker/runs").glob("*/journal.jsonl"))
    ran = any(RAN in command for command in done.get("verdict", {}).get("commands", ()))
    refused = done["returncode"] == 2 and "error" in done
    reported = done["returncode"] == 6 and done.get("word") not in ("", None, SAME)
    return (refused or reported) and not ran and f'"command": "{RAN}' not in journal


def prove(folder: Path, image: str, *words: str) -> dict[str, Any]:
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "PYTHONPATH": str(Path.cwd())}
    state = folder / ("checker" if "--check" in words else "state")
    environment |= {"SWE_AGENT_STATE": str(state), "SWE_AGENT_CONFIG": str(folder / "none.toml")}
    place = ["--repo", str(folder / "repository"), "--image", image, "--workspace", "docker", "--json"]
    command = [sys.executable, "-m", "swe_agent", "prove", *words, *place]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    found: dict[str, Any] = json.loads(done.stdout) if done.stdout.strip() else {"stderr": done.stderr}
    return found | {"returncode": done.returncode, "stderr": done.stderr}


def packed(files: Files, bundle: Bundle, command: str | None = None) -> bytes:
    """Return an archive whose statement and script agree with its other files, as an attacker would make it."""
    claims = decode_claims(files[CLAIMS])
    given = {"reproduction": list(bundle.reproduction), "command": bundle.command if command is None else command}
    files[SCRIPT] = portable_script(bundle.base, claims.tests("commands"), claims.environment).encode()
    files[STATED] = json.dumps(proof_bundle._statement(claims, given, files), indent=1).encode()
    return proof_bundle._archive(files)


def with_verdict(**changes: Any) -> Callable[[Files, Bundle], bytes]:
    def change(files: Files, bundle: Bundle) -> bytes:
        files[CLAIMS] = encode_claims(replace(bundle.claims, verdict={**bundle.claims.verdict, **changes}))
        return packed(files, bundle)

    return change


def other_patch(files: Files, bundle: Bundle) -> bytes:
    files[PATCH] = files[PATCH].replace(b"\n+", b"\n+ ", 3)
    return proof_bundle._archive(files)


def other_result(files: Files, bundle: Bundle) -> bytes:
    outcomes = {run: dict(results) for run, results in bundle.claims.outcomes.items()}
    name = next(iter(outcomes["with"]), "test")
    outcomes["with"][name] = "failed" if outcomes["with"].get(name) == "passed" else "passed"
    files[CLAIMS] = encode_claims(replace(bundle.claims, outcomes=outcomes))
    return packed(files, bundle)


def other_command(files: Files, bundle: Bundle) -> bytes:
    files[CLAIMS] = encode_claims(replace(bundle.claims, command=f"{RAN}; true"))
    return packed(files, bundle, f"{RAN}; true")


def other_issue(files: Files, bundle: Bundle) -> bytes:
    files[ISSUE] = files[ISSUE].replace(b'"title": "', b'"title": "Not ')
    return proof_bundle._archive(files)


def other_script(files: Files, bundle: Bundle) -> bytes:
    files[SCRIPT] = files[SCRIPT] + b"touch /tmp/pwned\n"
    return proof_bundle._archive(files)


def other_tree(files: Files, bundle: Bundle) -> bytes:
    source = {**bundle.claims.source, "patched tree": bundle.claims.source["base tree"]}
    files[CLAIMS] = encode_claims(replace(bundle.claims, source=source))
    return packed(files, bundle)


def missing_base(files: Files, bundle: Bundle) -> bytes:
    files[CLAIMS] = files[CLAIMS].replace(bundle.base.encode(), b"f" * 40)
    return packed(files, replace(bundle, base="f" * 40))


def more_bytes(files: Files, bundle: Bundle) -> bytes:
    return proof_bundle._archive(files) + proof_bundle._archive({"tests/conftest.py": b"raise SystemExit(0)"})


CHANGES: dict[str, Callable[[Files, Bundle], bytes]] = {
    "patch": other_patch,
    "no loss": with_verdict(no_loss=False),
    "verdict": with_verdict(kind="faster", generality="shown"),
    "shown tests": with_verdict(tests=["tests/test_other.py::test_it"]),
    "result of a test": other_result,
    "test command": other_command,
    "issue": other_issue,
    "script": other_script,
    "digest of the patched tree": other_tree,
    "base": missing_base,
    "appended files": more_bytes,
}


if __name__ == "__main__":
    main()
