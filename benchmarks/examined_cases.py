"""Verdicts of `swe-agent prove --independent` on patches of repositories, with an examiner whose answers are files.

    python -m benchmarks.examined_cases FOLDER... [--names a,b] [--patches right-1,…] [--jobs 2] [--json OUT]

Each folder below FOLDER is an issue: `issue.md`, `repo/` (the base, a git repository), `patches/KIND-N.patch` and
optionally `command` (the test command), `serve` (the command of the project's server) and `image` (a Docker image in
which the tests run, else they run on this machine); files that git ignores in `repo` come along. A `venv` in FOLDER
comes first on the PATH of the tests. The answers of examiner and challenger are in `answers/`: `tests.md`, and for the
questions about a patch `correction-ID.md`, `second-ID.md`, `challenge-ID.md` and `objections-ID.md`, where ID is the
beginning of the SHA-256 of the patch file. A question without an answer is written beside its place as `….request.md`;
whoever answers it must see nothing else.

The rates of each kind of patch are printed for each word, with 95 % intervals clustered by issue, and the words without
the examiner. A patch of kind `right` should be verified, any other should not.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from agent.run_state.turn_state import CHALLENGER_BRANCH, EXAMINER_BRANCH
from extensions.examiner import challenger_prompt, examiner_prompt
from extensions.lab.evaluation.confidence_intervals import Interval, wilson

WORDS = ("verified", "plausible", "disputed", "unproven")
TIME_LIMIT = 900
TESTS = "tests"
CHALLENGE = "challenge"
QUESTIONS = {
    "correction": examiner_prompt.CORRECTION.split("\n", 1)[0],
    "second": examiner_prompt.SECOND_LOOK.split("\n", 1)[0],
    "objections": challenger_prompt.OBJECTIONS.split("\n", 1)[0],
}
"""The beginnings of the examiner's later questions, by the names of their answers."""
FIRST = {
    EXAMINER_BRANCH: (TESTS, examiner_prompt.SYSTEM),
    CHALLENGER_BRANCH: (CHALLENGE, challenger_prompt.SYSTEM),
}
"""The first question to each role, and its system prompt, by branch."""


@dataclass(frozen=True)
class Row:
    """The verdict on a patch: its word, and the word `without` the examiner. `open` are questions without an answer."""

    issue: str
    name: str
    kind: str
    verdict: str
    without: str
    generality: str
    seconds: float
    open: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def is_as_wanted(self) -> bool:
        return (self.verdict == "verified") == (self.kind == "right")


def judge(patch: Path) -> Row:
    """Prove a patch as a user does who has applied and staged it."""
    issue, name = patch.parents[1], patch.stem
    kind = name.rpartition("-")[0]
    with tempfile.TemporaryDirectory(prefix="swe-agent-case-") as folder:
        home = Path(folder)
        subprocess.run(["git", "clone", "-q", issue.resolve() / "repo", home / "repo"], check=True)
        _copy_ignored(issue.resolve() / "repo", home / "repo")
        subprocess.run(["git", "apply", "--index", patch.resolve()], cwd=home / "repo", check=True)
        (home / "script.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in _script(patch)))
        options = [*_options(issue), "--model", f"scripted:{home / 'script.jsonl'}"]
        began = time.monotonic()
        ended = subprocess.run(
            [sys.executable, "-m", "swe_agent", "prove", "--staged", "--independent", "--json", *options],
            cwd=home / "repo",
            env=_environment(home, issue.parent / "venv"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT,
            check=False,
        )
        seconds = time.monotonic() - began
        if not ended.stdout.startswith("{"):
            return Row(issue.name, name, kind, "none", "none", "", seconds, (), (ended.stderr[-300:],))
        result: dict[str, Any] = json.loads(ended.stdout)
        records = [json.loads(line) for line in Path(result["directory"], "journal.jsonl").read_text().splitlines()]
    verdict = result["verdict"]
    proofs = [one["observations"][0]["data"]["verdict"]["kind"] for one in records if one.get("author") == "proof"]
    return Row(
        issue=issue.name,
        name=name,
        kind=kind,
        verdict=verdict["kind"],
        without=proofs[0] if proofs else "none",
        generality=verdict["generality"],
        seconds=round(seconds, 1),
        open=tuple(_write_open_questions(patch, records)),
        notes=tuple(verdict["notes"]),
    )


def _options(issue: Path) -> Iterator[str]:
    yield from ("--issue-file", str(issue.resolve() / "issue.md"))
    yield from ("--workspace", "docker" if (issue / "image").exists() else "local")
    for name, option in (("image", "--image"), ("command", "--test"), ("serve", "--serve")):
        if (issue / name).exists():
            yield from (option, (issue / name).read_text().strip())


def _copy_ignored(source: Path, clone: Path) -> None:
    """Copy what git ignores, such as `node_modules`."""
    listed = ["git", "ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z"]
    ignored = subprocess.run(listed, cwd=source, capture_output=True, text=True, check=True).stdout
    for name in filter(None, ignored.split("\0")):
        target = (clone / name.rstrip("/")).parent
        target.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-a", "--reflink=auto", source / name.rstrip("/"), target], check=True)


def _environment(home: Path, venv: Path) -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str((venv / "bin").resolve()) if venv.exists() else "", os.environ["PATH"]]))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SWE_AGENT_", "PYTHON"))}
    return kept | {
        "PATH": path,
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "SWE_AGENT_STATE": str(home / "state"),
        "SWE_AGENT_CONFIG": str(home / "config.toml"),
        "SWE_AGENT_CACHE": str(home / "cache"),
    }


def answer_file(patch: Path, question: str) -> Path:
    """Return the file of the answer to a question about a patch; its name does not tell the patch's kind."""
    digest = sha256(patch.read_bytes()).hexdigest()[:8]
    name = TESTS if question == TESTS else f"{question}-{digest}"
    return patch.parents[1] / "answers" / f"{name}.md"


def _script(patch: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a scripted model that gives the recorded answers."""
    asked: list[tuple[str, str, dict[str, Any]]] = [(branch, first, {"n": 1}) for branch, (first, _) in FIRST.items()]
    asked += [(EXAMINER_BRANCH, name, {"contains": beginning}) for name, beginning in QUESTIONS.items()]
    for branch, question, when in asked:
        file = answer_file(patch, question)
        if file.exists():
            yield {"branch": branch, **when, "reply": {"text": file.read_text()}}


def _write_open_questions(patch: Path, records: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Write the questions that have no answer, each after the conversation so far, and yield their names."""
    conversations = {branch: [system] for branch, (_, system) in FIRST.items()}
    for step in records:
        if step["type"] != "step" or step["branch"] not in conversations or step["author"] != "task":
            continue
        text, conversation = step["observations"][0]["text"], conversations[step["branch"]]
        found = (each for each, beginning in QUESTIONS.items() if beginning in text)
        question = next(found, FIRST[step["branch"]][0])
        conversation.append(text)
        file = answer_file(patch, question)
        if file.exists():
            conversation.append(file.read_text())
            continue
        file.parent.mkdir(exist_ok=True)
        file.with_suffix(".request.md").write_text("\n\n---\n\n".join(conversation) + "\n")
        yield question


def clustered(groups: Sequence[tuple[int, int]]) -> Interval:
    """Return the 95 % interval of a rate of hits in groups, each (hits, size), whose members are not independent.

    It is Wilson's with the effective number of members: their number divided by the design effect, as in Korn and
    Graubard (Survey Methodology 24, 1998); the number of groups if the rate is 0 or 1.
    """
    hits, total, count = sum(hit for hit, _ in groups), sum(size for _, size in groups), len(groups)
    if hits in (0, total) or count < 2:
        return wilson(count if hits and hits == total else 0, count)
    rate = hits / total
    spread = count / (count - 1) * sum((hit - rate * size) ** 2 for hit, size in groups) / total**2
    effective = total / max(1.0, spread / (rate * (1 - rate) / total))
    return wilson(rate * effective, effective)


def summary(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of a table with the rates of each word for each kind."""
    yield f"| kind | patches | issues | {' | '.join(WORDS)} | verified without the examiner |"
    yield "|---" * (len(WORDS) + 4) + "|"
    kinds = list(dict.fromkeys(row.kind for row in rows))
    groups = {kind: [row for row in rows if row.kind == kind] for kind in kinds}
    groups["all wrong"] = [row for row in rows if row.kind != "right"]
    for kind, group in groups.items():
        cells = [_rate(group, [row.verdict == word for row in group]) for word in WORDS]
        cells.append(_rate(group, [row.without == "verified" for row in group]))
        yield f"| {kind} | {len(group)} | {len({row.issue for row in group})} | {' | '.join(cells)} |"


def _rate(rows: Sequence[Row], hits: Sequence[bool]) -> str:
    sizes = Counter(row.issue for row in rows)
    counts = Counter(row.issue for row, hit in zip(rows, hits, strict=True) if hit)
    bound = clustered([(counts[issue], size) for issue, size in sizes.items()])
    return f"{sum(hits)} ({bound.low:.0%}-{bound.high:.0%})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--names", default="", help="only these issues, separated by commas")
    parser.add_argument("--patches", default="", help="only these patches of each issue")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    patches = sorted(patch for folder in options.folders for patch in folder.glob("*/patches/*.patch"))
    names, only = ([part for part in text.split(",") if part] for text in (options.names, options.patches))
    patches = [patch for patch in patches if patch.parents[1].name in names or not names]
    patches = [patch for patch in patches if patch.stem in only or not only]
    rows = []
    with ThreadPoolExecutor(options.jobs) as pool:
        for row in pool.map(judge, patches):
            rows.append(row)
            mark = "?" if row.open else " " if row.is_as_wanted else "!"
            print(f"{mark} {row.issue:34} {row.name:12} {row.verdict:10} {row.seconds:6.1f} s", flush=True)
            if options.json:
                options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    print("\n".join(["", *summary(rows)]))


if __name__ == "__main__":
    main()
