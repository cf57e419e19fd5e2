"""The comparison of pages in the proof on patches that fix an issue and break something else, and on honest ones.

    python -m benchmarks.page_changes --image IMAGE [--only NAME,..] [--patch breaking|honest] [--json OUT] [--texts]

IMAGE is a Docker image with Chromium, Playwright for Python, Flask and Node. The cases (benchmarks/front_end_cases) are
twelve small projects, each with an issue, a hidden test, and two patches that pass it: `breaking` also changes
something that the issue does not ask for, `honest` does not. The hidden test serves as the one that reproduces the
issue. A breaking patch is `named` if the comparison names what it breaks, an honest one is `ACCUSED` if the comparison
names anything. For each set of npm packages, npm runs once on this machine, in a folder of `--packages`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from aci.docker.base_image import MADE_MARKER
from aci.repository.user_repository import Repository
from aci.runtime.workspace import LineConversation, Workspace, WorkspaceOptions, open_workspace
from extensions.pages.browser.server_process import ServerFailed, server_of
from extensions.pages.browser.workspace_browser import browser_of
from extensions.pages.page_checks.needed_parts import needed_tree
from extensions.pages.page_checks.page_comparison import PageComparison, PageServer, compare_pages
from extensions.pages.page_checks.page_view import Variant
from trajectories.git_store.trees import Trees

CASES = Path(__file__).with_name("front_end_cases")
BREAKING, HONEST = "breaking", "honest"
ROOT = "/workspace/repo"
"""The repository's folder in the container, which gets the packages of npm."""
TEST_SECONDS = 240.0
RUN_TESTS = """\
import json, sys
sys.path.insert(0, sys.argv[1])
from hidden import check
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    browser = playwright.chromium.launch()
    for line in sys.stdin:
        page = browser.new_context().new_page()
        page.set_default_timeout(15_000)
        page.set_default_navigation_timeout(60_000)
        try:
            check(page, line.strip())
            print(json.dumps("passes"), flush=True)
        except AssertionError as error:
            print(json.dumps(f"fails: {error}"), flush=True)
        except Exception as error:
            print(json.dumps(f"{type(error).__name__}: {error}"), flush=True)
        page.context.close()
"""
"""A program in the container that runs the hidden test once for each address on its stdin, in one browser."""


@dataclass(frozen=True)
class Judged:
    """The comparison of one patch: `named` tells whether what it breaks is among the `unasked` differences."""

    name: str
    patch: str
    passes: bool
    """Whether the hidden test fails without the patch and passes with it."""
    pages: int
    views: int
    needed: str
    """The part of the patch that the test needs; empty if nothing differs, so that it was not computed."""
    named: bool
    unasked: tuple[str, ...]
    asked: tuple[str, ...] = field(repr=False)
    seconds: float = 0.0
    needed_seconds: float = 0.0


def judge(cases: Path, name: str, patch: str, image: str, check: bool = False) -> Judged:
    """Compare the pages of a case without and with one of its patches, as the proof does."""
    case = cases / "bugs" / name
    about = json.loads((cases / "expected.json").read_text())[name]
    with tempfile.TemporaryDirectory(prefix="swe-agent-pages-") as home, ExitStack() as stack:
        repository = _repository(Path(home, "repo"), case / "base")
        trees = stack.enter_context(Trees(Path(home, "trees.git")))
        base = repository.base(trees)
        diff = (cases / patch / name / f"{patch}.patch").resolve()
        subprocess.run(["git", "-C", repository.root, "apply", diff], check=True)
        tree = repository.base(trees).tree
        options = WorkspaceOptions(repository, base, trees, image=image, say=lambda _: None)
        before = stack.enter_context(closing(open_workspace("docker", options)))
        after = stack.enter_context(closing(before.fork(tree)))
        test = (case / "hidden.py").read_text()
        return _judge(name, patch, _Sides(trees, before, after, base.tree, tree, test), case, about, check)


@dataclass
class _Sides:
    trees: Trees
    before: Workspace
    after: Workspace
    base: str
    tree: str
    test: str
    _runner: LineConversation | None = None

    def passes(self, tree: str) -> bool:
        """Whether the hidden test passes at a tree, with a server that was started for it."""
        workspace = self.before
        if self._runner is None:
            folder = f"{workspace.harness}/hidden"
            workspace.write(f"{folder}/hidden.py", self.test.encode())
            workspace.write(f"{folder}/run_hidden.py", RUN_TESTS.encode())
            self._runner = workspace.converse(f"exec python3 {folder}/run_hidden.py {folder} 2>&1", "hidden_tests")
        workspace.restore(tree)
        server = server_of(workspace)
        if server is None:
            return False
        server.close()
        try:
            address = server.address(workspace, tree)
        except ServerFailed:
            return False
        self._runner.send(address.rstrip("/").encode())
        answer = self._answer(self._runner)
        if not answer.startswith(("passes", "fails")):
            print(f"    the test ended: {answer[:300]!r}", file=sys.stderr)
        return answer == "passes"

    def _answer(self, runner: LineConversation) -> str:
        end = time.monotonic() + TEST_SECONDS
        while time.monotonic() < end and (lines := runner.receive(1.0)) is not None:
            for line in lines:
                if line.startswith(b'"'):
                    return str(json.loads(line))
                print("   ", line.decode("utf-8", "replace"), file=sys.stderr)
        return "no answer"


def _judge(name: str, patch: str, sides: _Sides, case: Path, about: dict[str, Any], check: bool) -> Judged:
    passes = not check or (not sides.passes(sides.base) and sides.passes(sides.tree))
    sides.before.restore(sides.base)
    part, spent = "", 0.0

    def needed() -> PageServer | None:
        nonlocal part, spent
        started = time.monotonic()
        paths = [change.path for change in sides.trees.changed(sides.base, sides.tree)]
        some = needed_tree(sides.trees, sides.base, sides.tree, paths, sides.passes)
        part = (
            "whole" if some is None else f"less in {len(sides.trees.changed(some, sides.tree))} of {len(paths)} files"
        )
        spent = time.monotonic() - started
        if some is None:
            return None
        sides.before.restore(some)
        return _serve(sides.before, some)

    visited = [(path, Variant()) for path in about["visited"]]
    issue = (case / "issue.md").read_text()
    servers = _serve(sides.before, sides.base), _serve(sides.after, sides.tree)
    started = time.monotonic()
    compared = compare_pages(*servers, issue, sides.test, visited, needed)
    seconds = time.monotonic() - started - spent
    unasked, asked = _texts(compared, "unasked"), _texts(compared, "asked")
    named = any(re.search(about["named"], one) for one in unasked)
    return Judged(name, patch, passes, compared.pages, compared.views, part, named, unasked, asked, seconds, spent)


def _serve(workspace: Workspace, tree: str) -> PageServer:
    server = server_of(workspace)
    if server is None:
        raise SystemExit("the project serves no pages")
    return PageServer(workspace, browser_of(workspace), server.address(workspace, tree))


def _texts(compared: PageComparison, kind: str) -> tuple[str, ...]:
    return tuple(f"{one.path}, {one.variant}: {text}" for one in compared.changes for text in getattr(one, kind))


def _repository(folder: Path, files: Path) -> Repository:
    shutil.copytree(files, folder)
    person = ["-c", "user.name=benchmark", "-c", "user.email=benchmark@example.com"]
    for command in (["init", "-q"], ["add", "-A"], [*person, "commit", "-q", "-m", "Before"]):
        subprocess.run(["git", "-C", folder, *command], check=True, capture_output=True)
    return Repository.open(folder)


@contextmanager
def image_with_packages(image: str, base: Path, packages: Path) -> Iterator[str]:
    """Yield the image with the npm packages of a project in the repository's folder; `image` itself if it has none."""
    manifest = json.loads((base / "package.json").read_text()) if (base / "package.json").exists() else {}
    wanted = {kind: manifest[kind] for kind in ("dependencies", "devDependencies") if kind in manifest}
    if not wanted:
        yield image
        return
    folder = packages / hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:12]
    if not (folder / "node_modules").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text(json.dumps({"private": True, **wanted}))
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent"], cwd=folder, check=True)
    container = _docker("create", image, "sh", "-c", f": > {MADE_MARKER}")
    name = f"swe-agent-pages-benchmark:{folder.name}"
    try:
        with subprocess.Popen(
            ["tar", "-c", "--owner=0", "--group=0", "-C", folder, f"--transform=s,^,{ROOT[1:]}/,S", "node_modules"],
            stdout=subprocess.PIPE,
        ) as archive:
            subprocess.run(["docker", "cp", "-", f"{container}:/"], stdin=archive.stdout, check=True)
        _docker("start", "-a", container)
        _docker("commit", "-c", 'CMD ["/bin/sh"]', container, name)
    finally:
        _docker("rm", "-f", container)
    try:
        yield name
    finally:
        subprocess.run(["docker", "rmi", "-f", name], check=False, capture_output=True)


def _docker(*words: str) -> str:
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True).stdout.strip()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", required=True)
    parser.add_argument("--cases", type=Path, default=CASES)
    parser.add_argument("--only", default="")
    parser.add_argument("--packages", type=Path, default=Path(tempfile.gettempdir(), "swe-agent-page-packages"))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--check", action="store_true", help="run the hidden test without and with the patch first")
    parser.add_argument("--patch", choices=(BREAKING, HONEST), help="only these patches")
    parser.add_argument("--texts", action="store_true", help="print the differences")
    options = parser.parse_args()
    names = sorted(json.loads((options.cases / "expected.json").read_text()))
    rows: list[Judged] = []
    for name in [each for each in names if not options.only or each in options.only.split(",")]:
        with image_with_packages(options.image, options.cases / "bugs" / name / "base", options.packages) as image:
            for patch in [options.patch] if options.patch else [BREAKING, HONEST]:
                row = judge(options.cases, name, patch, image, options.check)
                rows.append(row)
                print(_line(row), flush=True)
                for kind, texts in (("unasked", row.unasked), ("asked", row.asked)):
                    for text in texts if options.texts else ():
                        print(f"    {kind} {text}", flush=True)
                if options.json:
                    options.json.write_text(json.dumps([asdict(one) for one in rows], indent=1))
    _summary(rows)
    return 0


def _line(row: Judged) -> str:
    answer = ("named" if row.named else "MISSED") if row.patch == BREAKING else ("ACCUSED" if row.unasked else "clear")
    return (
        f"{row.name:10} {row.patch:9} {answer if row.pages else 'NOT COMPARED':12} "
        f"{'' if row.passes else 'TEST WRONG '}{row.pages} pages {row.views} views "
        f"{len(row.unasked)} unasked {len(row.asked)} asked, needed: {row.needed or '-'}, "
        f"{row.seconds:.1f} s + {row.needed_seconds:.1f} s"
    )


def _summary(rows: Sequence[Judged]) -> None:
    compared = [row for row in rows if row.pages]
    breaking, honest = ([row for row in compared if row.patch == kind] for kind in (BREAKING, HONEST))
    print(f"named {sum(row.named for row in breaking)} of {len(breaking)}")
    print(f"accused {sum(bool(row.unasked) for row in honest)} of {len(honest)}")
    print(f"not compared, since no page could be opened: {len(rows) - len(compared)}")
    print(f"seconds per comparison {sum(row.seconds for row in compared) / max(1, len(compared)):.1f}")


if __name__ == "__main__":
    sys.exit(main())
