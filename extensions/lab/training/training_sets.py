"""Training sets of runs: runs of benchmarks that are left out, and the data card of a set.

A data card says where the rows of a set come from and what was left out ("Datasheets for Datasets", arXiv 1803.09010).
Runs of benchmarks are found by repository, as SWE-smith does (arXiv 2504.21798), and by base commit and issue text.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from extensions.lab.instances.dataset_rows import rows

if TYPE_CHECKING:
    from extensions.lab.training.candidate_groups import Selection
    from extensions.lab.training.candidates import Candidate
    from trajectories.trajectory import RunView

FAMILIES = "swe-bench"
LICENCE = re.compile(r"(licen[cs]e|copying|unlicense)(\.\w+|-\w+)*", re.IGNORECASE)
CLONE = re.compile(r"-[0-9a-f]{10}$")
"""The end of the name of a clone that this program made of an address."""
TEXTS, BASES = ("problem_statement", "text"), ("base_commit", "base")
MOST_NAMED = 50
"""Maximum number of left-out runs that a card names for one reason."""


@cache
def benchmark_repositories() -> frozenset[str]:
    """Return the repositories of the SWE-bench family as owner/name in lower case."""
    lines = Path(__file__).with_name("benchmark_repositories.txt").read_text(encoding="utf-8").split("\n")
    return frozenset(line for line in lines if line and not line.startswith("#"))


@dataclass(frozen=True)
class Exclusions:
    """Runs that must not be in a training set: of these repositories, base commits, or issue texts. `names` are the
    values of --exclude."""

    names: tuple[str, ...] = ()
    repositories: frozenset[str] = frozenset()
    bases: frozenset[str] = frozenset()
    texts: frozenset[str] = frozenset()

    def reason(self, run: RunView) -> str:
        """Return why a run is excluded; "" if it is not."""
        record = run.trajectory.run
        if record is None:
            return ""
        if record.base.commit in self.bases:
            return "its base is that of an excluded instance"
        if _normal(record.issue.text) in self.texts or _normal(record.issue.body) in self.texts:
            return "its issue is that of an excluded instance"
        return "its repository is excluded" if repository_names(run) & self.repositories else ""


def read_exclusions(names: Sequence[str]) -> Exclusions:
    """Return the exclusions that the values of --exclude name: `swe-bench`, or files with instances. Raises UsageError
    for a file that cannot be read."""
    bases, texts = set[str](), set[str]()
    for path in (Path(name) for name in names if name != FAMILIES):
        for _, row in rows(path, (*TEXTS, *BASES)):
            bases |= {str(row[name]) for name in BASES if row.get(name)}
            texts |= {_normal(str(row[name])) for name in TEXTS if row.get(name)}
    repositories = benchmark_repositories() if FAMILIES in names else frozenset()
    return Exclusions(tuple(names), repositories, frozenset(bases), frozenset(texts - {""}))


def _normal(text: str) -> str:
    return " ".join(text.lower().split())


def repository_names(run: RunView) -> frozenset[str]:
    """Return the possible names of a run's repository as owner/name in lower case, from its path and its issue's
    address. A run does not record where its repository was cloned from, so the name alone counts too."""
    record = run.trajectory.run
    if record is None:
        return frozenset()
    parts = record.repository.lower().removesuffix("/").removesuffix(".git").split("/")
    name = CLONE.sub("", parts[-1])
    same = {known for known in benchmark_repositories() if known.partition("/")[2] == name}
    found = {"/".join([*parts[-2:-1], name]), name.replace("__", "/"), *same}
    address = re.match(r"https?://[^/]+/([^/]+/[^/]+)/", record.issue.url.lower())
    return frozenset(found | ({address[1]} if address else set()))


@dataclass
class WrittenRows:
    """The lines of a set on their way to a file, which are counted and hashed."""

    pieces: Iterable[str]
    count: int = 0
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def __iter__(self) -> Iterator[str]:
        for piece in self.pieces:
            self.count += piece.count("\n")
            self._digest.update(piece.encode("utf-8", "replace"))
            yield piece

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


def left_out_text(selection: Selection) -> str:
    """Return one line that says how many runs and candidates are left out, and why; "" if none is."""
    reasons = [f"{count} {reason}" for reason, count in selection.reasons.most_common()]
    return f"Left out: {'; '.join(reasons)}." if reasons else ""


def data_card(
    name: str, filters: str, target: Path, written: WrittenRows, selection: Selection, exclusions: Exclusions
) -> str:
    """Return the data card of a set as Markdown."""
    used = list(selection.used.values())
    models = Counter(model for each in used for model in _models(each))
    lines = [
        f"# Data card of {target.name}",
        "",
        f"- Format: `{name}` of `swe-agent export`, {written.count} rows",
        f"- SHA-256: `{written.sha256}`",
        f"- Candidates: {len(used)}, of which {sum(each.proven for each in used)} are proven by tests",
        f"- Models: {_cell(', '.join(f'{model} ({count})' for model, count in sorted(models.items()))) or 'unknown'}",
        f"- Filters: {filters}",
        "",
        "## Sources",
        "",
        "The rows contain issue texts and code of these repositories. Their licences apply.",
        "",
        "| repository | bases | candidates | licence file at the base |",
        "|---|---|---|---|",
        *_sources(used),
        "",
        "## Benchmarks",
        "",
        f"- Excluded with `--exclude`: {_cell(', '.join(exclusions.names)) or 'nothing'}",
        f"- Candidates from repositories of the SWE-bench family, by name: {_benchmark_candidates(used)}",
        "",
        "## Left out",
        "",
        *(_reasons(selection) or ["Nothing."]),
    ]
    return "\n".join(lines) + "\n"


def _models(candidate: Candidate) -> set[str]:
    replies = candidate.run.trajectory.replies.items()
    return {reply.model for (branch, _), reply in replies if branch in candidate.branches and reply.model}


def _sources(used: Sequence[Candidate]) -> Iterator[str]:
    repositories: dict[str, list[Candidate]] = {}
    for each in used:
        repositories.setdefault(each.record.repository, []).append(each)
    for repository, found in sorted(repositories.items()):
        bases = sorted({each.record.base.commit[:10] for each in found})
        licences = sorted({_licence(each.run) for each in found})
        yield f"| {_cell(repository)} | {', '.join(bases)} | {len(found)} | {_cell('; '.join(licences))} |"


def _licence(run: RunView) -> str:
    """Return the name and the first line of the licence file at a run's base."""
    record, trees = run.trajectory.run, run.trees
    if record is None or trees is None:
        return "unknown"
    files = trees.files(record.base.tree)
    name = next((path for path in files if "/" not in path and LICENCE.fullmatch(path)), "")
    if not name:
        return "none found"
    lines = trees.read(record.base.tree, name).decode("utf-8", "replace").split("\n")
    return f"{name}: {next((line.strip() for line in lines if line.strip()), '')[:80]}"


def _cell(text: str) -> str:
    return re.sub(r"[|<>`\s]+", " ", text)


def _benchmark_candidates(used: Sequence[Candidate]) -> int:
    return sum(bool(repository_names(each.run) & benchmark_repositories()) for each in used)


def _reasons(selection: Selection) -> list[str]:
    """Return a line for each reason, with the names of the first runs that are left out for it."""
    lines = []
    for reason, count in selection.reasons.most_common():
        names = [name for name, why in selection.left_out if why == reason]
        more = f" and {count - MOST_NAMED} more" if count > MOST_NAMED else ""
        lines.append(f"- {count} {reason}: {_cell(', '.join(names[:MOST_NAMED]))}{more}")
    return lines
