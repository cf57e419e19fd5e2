"""Small repositories with one bug each, their images, and a model provider that knows the fixes."""

from __future__ import annotations

import io
import json
import random
import re
import shlex
import subprocess
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from tests.endpoint.answer import Answer, Request
from tests.endpoint.server import Endpoint

if TYPE_CHECKING:
    from docker import DockerClient

IMAGES = "swe-agent-benchmark"
OPERATORS = {"+": "-", "-": "+", "*": "+"}
TEST_TIME = re.compile(r"tests took (\d+) ns")
CASE = re.compile(r"case-\d{4,}")


@dataclass(frozen=True, slots=True)
class Case:
    """The instance `id`: `module` has the line `wrong` instead of `right`, and `test` is a test that shows the bug."""

    id: str
    package: str
    wrong: str
    right: str
    call: str
    expected: int
    issue: str

    @property
    def module(self) -> str:
        return f"{self.package}/amounts.py"

    @property
    def test_file(self) -> str:
        return "tests/test_shown.py"

    @property
    def test(self) -> str:
        function = self.call.partition("(")[0]
        body = f"    assert {self.call} == {self.expected}\n    assert {function}(0, 0) == 0\n"
        return f"from {self.package}.amounts import {function}\n\n\ndef test_shown() -> None:\n{body}"

    @property
    def image(self) -> str:
        return f"{IMAGES}/{self.id}:latest"


def cases(n: int, seed: int = 7) -> list[Case]:
    """Create `n` cases; the same seed creates the same cases."""
    rng = random.Random(seed)
    return [_case(f"case-{number:04d}", rng) for number in range(n)]


def _case(id: str, rng: random.Random) -> Case:
    package = rng.choice(["ledger", "stock", "garden", "harbour", "orbit"])
    name = rng.choice(["combine", "settle", "charge", "refund", "scale"])
    operator = rng.choice(list(OPERATORS))
    a, b = rng.randint(6, 99), rng.randint(3, 50)
    right, wrong = (f"    return first {sign} second" for sign in (operator, OPERATORS[operator]))
    expected = {"+": a + b, "-": a - b, "*": a * b}[operator]
    issue = f"{name}() of {package} answers wrongly ({id})\n\n{name}({a}, {b}) should give {expected}."
    return Case(id, package, wrong, right, f"{name}({a}, {b})", expected, issue)


def files(case: Case) -> dict[str, str]:
    function = case.call.partition("(")[0]
    return {
        "README.md": f"# {case.package}\n\nMade for {case.id}.\n",
        f"{case.package}/__init__.py": "",
        case.module: f"def {function}(first: int, second: int) -> int:\n{case.wrong}\n",
        f"{case.package}/names.py": "def title(name: str) -> str:\n    return name.strip().title()\n",
        f"{case.package}/dates.py": "def is_leap(year: int) -> bool:\n"
        "    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)\n",
        "tests/test_names.py": f"from {case.package}.names import title\n\n\n"
        "def test_title() -> None:\n    assert title(' a b ') == 'A B'\n",
        "tests/test_dates.py": f"from {case.package}.dates import is_leap\n\n\n"
        "def test_leap() -> None:\n    assert is_leap(2024) and not is_leap(1900)\n",
    }


def repository(case: Case, folder: Path) -> str:
    """Create the repository of the case in the folder and return its commit."""
    for name, text in files(case).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    for arguments in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "Initial commit"]):
        user = ["-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost"]
        subprocess.run(["git", "-C", str(folder), *user, *arguments], check=True)
    head = subprocess.run(["git", "-C", str(folder), "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return head.stdout.strip()


def image(case: Case, folder: Path, client: DockerClient, base: str) -> None:
    """Create an image with the repository in /testbed, as a layer over `base`."""
    container = client.containers.create(base, ["true"])
    try:
        with io.BytesIO() as data:
            with tarfile.open(fileobj=data, mode="w") as tar:
                tar.add(folder, "testbed", filter=_owned_by_root)
            container.put_archive("/", data.getvalue())
        name, _, tag = case.image.partition(":")
        container.commit(name, tag, pause=False)
    finally:
        container.remove(v=True)


def _owned_by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry


class Provider(Endpoint):
    """Answers each request `seconds` after its arrival, with three replies for a case, for swe-agent or mini-swe-agent.

    `waited` is, by case, the seconds from the arrival of requests until the answer is chosen, and `tests` the seconds
    that the test commands of mini-swe-agent report. `sent` is the number of bytes of all requests.
    """

    def __init__(self, known: list[Case], seconds: float) -> None:
        self._known = {case.id: case for case in known}
        self._seconds = seconds
        self._lock = Lock()
        self.waited: dict[str, float] = {}
        self.tests: dict[str, float] = {}
        self.sent = 0
        super().__init__(self._reply)

    def forget(self) -> None:
        """Reset the counters."""
        self.waited.clear()
        self.tests.clear()
        self.sent = 0

    def answer(self, request: Request) -> Answer:
        found = CASE.search(json.dumps(request.body.get("messages")))
        time.sleep(max(0.0, request.at + self._seconds - time.time()))
        answer = super().answer(request)
        self.requests.clear()  # to limit memory
        if found:
            took = sum(int(each) for each in TEST_TIME.findall(request.news)) / 1e9
            with self._lock:
                self.sent += len(request.data)
                self.waited[found[0]] = self.waited.get(found[0], 0.0) + time.time() - request.at
                self.tests[found[0]] = self.tests.get(found[0], 0.0) + took
        return answer

    def _reply(self, request: Request) -> Answer:
        found = CASE.search(json.dumps(request.body.get("messages")))
        if not found or found[0] not in self._known:
            raise LookupError("no case is named")
        case = self._known[found[0]]
        tools = {tool["function"]["name"] for tool in request.body.get("tools", ())}
        turns = _ours(case) if "run_tests" in tools else _mini(case)
        return Answer("One step.", actions=turns[request.turns])


Actions = list[tuple[str, dict[str, object]]]


def _ours(case: Case) -> list[Actions]:
    run: tuple[str, dict[str, object]] = ("run_tests", {"nodes": [case.test_file]})
    return [
        [("view", {"path": case.module}), ("edit", {"path": case.test_file, "old": "", "new": case.test}), run],
        [("edit", {"path": case.module, "old": case.wrong, "new": case.right}), run],
        [("submit", {})],
    ]


def _mini(case: Case) -> list[Actions]:
    """Return the same steps for mini-swe-agent, which requires separate commands to create and to submit the patch."""
    run = f"s=$(date +%s%N); python3 -m pytest -q {case.test_file}; echo tests took $(($(date +%s%N) - s)) ns"
    write = f"printf %s {shlex.quote(case.test)} > {case.test_file}"
    fix = f"sed -i {shlex.quote(f's/{re.escape(case.wrong)}/{case.right}/')} {case.module}"
    commands = [
        [f"cat {case.module}", write, run],
        [fix, run, f"git diff -- {case.module} > patch.txt"],
        ["echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT && cat patch.txt"],
    ]
    return [[("bash", {"command": command}) for command in turn] for turn in commands]
