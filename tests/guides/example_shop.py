"""The repository of the guides, `~/code/shop`, on the machine of a user who has what the guides mention."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import IMAGE, git
from tests.e2e import forking
from tests.e2e.conftest import write
from tests.github_server import Hub
from trajectories.journal import read

ROOT = Path(__file__).resolve().parents[2]
ORDERS = '''"""Orders of the shop."""


def unique(items):
    """The items without repetitions, in the order of their first appearance."""
    seen = []
    for item in items:
        if item not in seen:
            seen.append(item)
    return seen


def merge(left, right):
    """All items of both lists, sorted."""
    return sorted(left + right)


class Cart:
    """Prices of items and a discount for all of them."""

    def __init__(self, prices, discount=0):
        self.prices = list(prices)
        self.discount = discount

    def total(self):
        """The sum of the prices, less the discount."""
        return sum(self.prices) - self.discount
'''
PRICES = '''"""Prices of the shop."""


def reduced(price, percent=0):
    """The price less a percentage of it, at most half."""
    if percent > 50:
        percent = 50
    return price - price * percent // 100


def shipping(weight, express=False):
    """What sending a parcel costs, by its weight in kilograms."""
    cost = 5 if weight <= 2 else 5 + 2 * (weight - 2)
    return cost * 2 if express else cost


def label(name, price):
    """The text on a price tag."""
    if not name:
        raise ValueError("a tag needs a name")
    return f"{name.strip().title()}: {price:.2f}"
'''
BROKEN = ORDERS.replace("- self.discount\n", "+ self.discount\n")
TESTS = {
    "tests/test_cart.py": (
        "from shop.orders import Cart\n\n\n"
        "def test_total():\n"
        "    assert Cart([30, 12], 2).total() == 40\n"
        "    assert Cart([7], 7).total() == 0\n"
        "    assert Cart([1, 2, 3], 1).total() == 5\n"
        "    assert Cart([50], 8).total() == 42\n"
        "    assert Cart([4, 4]).total() == 8\n"
    ),
    "tests/test_orders.py": (
        "from shop.orders import unique\n\n\n"
        "def test_unique():\n"
        "    assert unique([3, 1, 3, 2, 1]) == [3, 1, 2]\n"
        "    assert unique([]) == []\n\n\n"
        "def test_many():\n"
        "    assert unique([n * 7 % 300 for n in range(600)])[:3] == [0, 7, 14]\n"
    ),
    "tests/test_prices.py": (
        "import pytest\n\nfrom shop.prices import label, reduced, shipping\n\n\n"
        "def test_reduced():\n    assert reduced(200, 10) == 180\n\n\n"
        "def test_reduced_at_most_by_half():\n    assert reduced(200, 90) == 100\n\n\n"
        "def test_not_reduced():\n    assert reduced(200) == 200\n\n\n"
        "def test_light_parcel():\n    assert shipping(2) == 5\n\n\n"
        "def test_heavy_parcel():\n    assert shipping(4) == 9\n\n\n"
        "def test_express_parcel():\n    assert shipping(3, express=True) == 14\n\n\n"
        "def test_label():\n    assert label(' red tea', 3) == 'Red Tea: 3.00'\n\n\n"
        "def test_label_without_name():\n    with pytest.raises(ValueError):\n        label('', 3)\n"
    ),
    "tests/test_speed.py": (
        "from shop.orders import merge, unique\n\n\n"
        "def test_merge(benchmark):\n"
        "    assert benchmark(lambda: merge(unique([n % 90 for n in range(300)]), [5]))[0] == 0\n"
    ),
}
CONFTEST = '''"""A stand-in for the fixture of pytest-benchmark."""

import pytest


@pytest.fixture
def benchmark():
    return lambda function, *args: function(*args)
'''
REPORT = (
    "import sys\n\nsys.path.insert(0, '.')\nfrom shop.orders import unique\n\n"
    "print(len(unique([n * 7 % 200 for n in range(600)])))\n"
)
FILES = {
    "pyproject.toml": (
        '[project]\nname = "shop"\nversion = "1.2"\n\n[tool.pytest.ini_options]\npythonpath = ["."]\naddopts = "-q"\n'
    ),
    "README.md": "# Shop\n",
    ".gitignore": "__pycache__/\n",
    "shop/__init__.py": "",
    "shop/orders.py": ORDERS,
    "shop/prices.py": PRICES,
    "conftest.py": CONFTEST,
    "report.py": REPORT,
    "benchmarks/report.py": REPORT.replace("print(", "for _ in range(300):\n    print("),
    **TESTS,
}
ISSUE = """# total() ignores the discount

`Cart.total()` adds the discount instead of subtracting it:

```python
from shop.orders import Cart

print(Cart([30, 12], 2).total())
```

It prints 44, but it should be `40`.
"""
LOG = """\
=================================== FAILURES ===================================
__________________________________ test_total __________________________________

    def test_total():
>       assert Cart([30, 12], 2).total() == 40
E       assert 44 == 40
E        +  where 44 = total()

tests/test_cart.py:5: AssertionError
=========================== short test summary info ============================
FAILED tests/test_cart.py::test_total - assert 44 == 40
========================= 1 failed, 3 passed in 0.12s ==========================
"""
TIMES = {"started_at": "2026-01-02T05:00:00Z", "completed_at": "2026-01-02T05:00:20Z"}
STEPS = [{"name": "Run tests", "status": "completed", "conclusion": "failure", "number": 1, **TIMES}]
FAILED_RUN = {"event": "push", "conclusion": "failure", "head_branch": "main"}
OF_SWE_AGENT = {
    "trajectory": [{"action": "ls", "observation": "shop", "response": "Look.", "thought": "Look."}],
    "history": [{"role": "user", "content": "total() ignores the discount"}],
    "info": {"submission": None},
}
TRAJECTORIES = {
    "astropy__astropy-13453.traj.json": {
        "messages": [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Ho."}]
    },
    **dict.fromkeys(
        ("marshmallow-code__marshmallow-1867.traj", "pydicom__pydicom-1458.traj", "astropy-12907.traj"), OF_SWE_AGENT
    ),
}
FIX = {"tool": "edit", "arguments": {"path": "shop/orders.py", "old": "+ self.discount", "new": "- self.discount"}}
NEW_TEST = {
    "tool": "edit",
    "arguments": {
        "path": "tests/test_discount.py",
        "old": "",
        "new": "from shop.orders import Cart\n\n\ndef test_discount():\n    assert Cart([9], 4).total() == 5\n",
    },
}
SOLUTION = [
    {"n": 1, "reply": {"text": "Look.", "actions": [{"tool": "view", "arguments": {"path": "shop/orders.py"}}]}},
    {"reply": {"text": "A test and the fix.", "actions": [NEW_TEST, FIX, {"tool": "submit", "arguments": {}}]}},
]


@dataclass
class ExampleShop:
    """A user's home with the repository. `model` is a scripted model that solves its bug."""

    home: Path
    hub: Hub
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def repository(self) -> Path:
        return self.home / "code" / "shop"

    @property
    def model(self) -> str:
        return f"scripted:{self.home / 'model.jsonl'}"

    @property
    def environment(self) -> dict[str, str]:
        path = [self.home / "bin", self.home / "python" / "bin", os.environ["PATH"]]
        kept = {name: os.environ[name] for name in ("LANG", "DOCKER_HOST") if name in os.environ}
        return kept | {
            "HOME": str(self.home),
            "PATH": os.pathsep.join(map(str, path)),
            "PYTHON_KEYRING_BACKEND": "keyring_file.Keyring",
            "FILERING": str(self.home / "ring.json"),
            "EDITOR": "true",
            "GIT_CONFIG_NOSYSTEM": "1",
            "SWE_AGENT_STATE": str(self.home / "state"),
            "HF_ENDPOINT": "http://127.0.0.1:9",
            "SWE_AGENT_CONFIG": str(self.home / "config.toml"),
            "SWE_AGENT_CACHE": str(self.home / "cache"),
            "SWE_AGENT_WORKSPACE": "local",
            "SWE_AGENT_IMAGE": IMAGE,
            "SWE_AGENT_ACCEPT": "plausible",
            "SWE_AGENT_INDEPENDENT": "false",  # the scripted model writes no tests of an examiner
            **self.hub.env(token="t-ada", action=False),
            **self.extra,
        }

    def create(self) -> None:
        """Write the repository with its history, the files beside it, the command, and the user's configuration."""
        self._make_python()
        self._write_history()
        self._write_files_beside()
        self._write_instances()
        write(self.home, {"model.jsonl": "".join(json.dumps(line) + "\n" for line in SOLUTION)})
        write(self.home, {"talk.jsonl": json.dumps({"reply": {"text": "Done.", "actions": []}}) + "\n"})
        write(self.home, {".gitconfig": "[user]\nname = Ada\nemail = ada@example.com\n"})
        program = f"import sys; sys.path[:0] = {[str(ROOT), str(ROOT / 'tests')]!r}; from swe_agent import main; main()"
        command = shlex.join([sys.executable, "-c", program])
        write(self.home, {"bin/swe-agent": f'#!/bin/sh\nexec {command} "$@"\n'})
        write(self.home, {"bin/pytest": '#!/bin/sh\nexec python3 -m pytest "$@"\n'})
        for name in ("swe-agent", "pytest"):
            (self.home / "bin" / name).chmod(0o755)
        self._publish()

    def run(self, command: str, input: str = "", timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Run a command line in the repository, as typed at a prompt.

        A call of `swe-agent` that needs no shell runs in a forked process, which saves the start of the interpreter.
        """
        if command.startswith("swe-agent") and not input and not re.search(r"[|;&<>$~`]", command.partition(" #")[0]):
            words = shlex.split(command, comments=True)
            return forking.run(words[1:], self.environment, self.repository, timeout)
        return subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            cwd=self.repository,
            env=self.environment,
            input=input,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def last_run(self, number: int = 1, strategy: str = "") -> str:
        """Return the name of the last run, or of the `number`-th from the end; "" if there are fewer."""
        runs = sorted((self.home / "state" / "runs").glob("*"))
        if strategy:
            runs = [run for run in runs if read(run).turns[0].strategy == strategy]
        return runs[-number].name if len(runs) >= number else ""

    def _make_python(self) -> None:
        """A Python with pytest and nothing else, which starts faster than the one that runs this test."""
        venv.create(self.home / "python", symlinks=True)
        (packages,) = (self.home / "python" / "lib").glob("python3*/site-packages")
        for name in ("pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments", "py"):
            found = importlib.util.find_spec(name)
            assert found is not None
            assert found.origin is not None
            origin = Path(found.origin)
            place = origin.parent if origin.stem == "__init__" else origin
            (packages / place.name).symlink_to(place)

    def _write_history(self) -> None:
        """The last release is right; a commit after it breaks `Cart.total`, and the branch `fix-total` fixes it."""
        folder = write(self.repository, FILES)
        git(folder, "init", "-q", "-b", "main")
        for message, files in (
            ("A shop", {}),
            ("Describe the shop", {"README.md": "# Shop\n\nOrders and carts.\n"}),
            ("Let the cart add up", {"shop/orders.py": BROKEN}),
        ):
            write(folder, files)
            git(folder, "add", "-A")
            git(folder, "commit", "-qm", message)
        git(folder, "tag", "v1.2", "HEAD~1")
        git(folder, "checkout", "-qb", "fix-total")
        write(folder, {"shop/orders.py": ORDERS})
        git(folder, "commit", "-qam", "Subtract the discount")
        git(folder, "checkout", "-q", "main")

    def _write_files_beside(self) -> None:
        """Files of the user that git ignores: an issue, a patch and a log."""
        patch = git(self.repository, "diff", "main", "fix-total") + "\n"
        write(self.repository, {"bug.md": ISSUE, "fix.diff": patch, "ci.log": LOG})
        for name, content in TRAJECTORIES.items():
            write(self.repository, {name: json.dumps(content)})
        kept = sorted({name.partition("/")[0] for name in FILES})
        (self.repository / ".git/info/exclude").write_text("/*\n" + "".join(f"!/{name}\n" for name in kept))

    def _write_instances(self) -> None:
        """A data set of one instance, its bug, with predictions for it."""
        instance = {
            "instance_id": "django__shop-1",
            "repo": str(self.repository),
            "base_commit": git(self.repository, "rev-parse", "main"),
            "problem_statement": ISSUE,
            "test": "python3 -m pytest",
            "patch": (self.repository / "fix.diff").read_text(),
            "test_patch": "",
            "FAIL_TO_PASS": '["tests/test_cart.py::test_total"]',
            "PASS_TO_PASS": '["tests/test_orders.py::test_unique"]',
        }
        prediction = {key: instance[key] for key in ("instance_id", "patch")}
        prediction["model_patch"] = prediction.pop("patch")
        line = json.dumps(instance) + "\n"
        files = dict.fromkeys(("verified.jsonl", "issues.jsonl", "gold.jsonl"), line) | {"own.json": f"[{line}]"}
        write(self.repository, files | {"preds.json": json.dumps([prediction])})
        for folder in ("OUT", "NEW", "OLD"):
            write(self.repository, {f"{folder}/all_preds.jsonl": json.dumps(prediction) + "\n"})

    def _publish(self) -> None:
        """Put the repository on GitHub, with the issue, a pull request with the fix, and a failed run of CI."""
        for name in ("you/shop", "octo/shop", "octo/calc"):
            bare = self.home / "github" / f"{name}.git"
            git(self.home, "clone", "-q", "--bare", str(self.repository), str(bare))
            repo = self.hub.repo(name, git=bare)
            repo.permissions["ada"] = "write"
            title, _, body = ISSUE.removeprefix("# ").partition("\n\n")
            for number in range(1, 13):
                if (name, number) == ("octo/shop", 7):
                    repo.pull("fix-total", title="Subtract the discount", body=body)
                else:
                    repo.issue(title, body)
            repo.run(123, path=".github/workflows/ci.yml", **FAILED_RUN, head_sha=repo.sha("main"))
            repo.job(456, 123, log=self.hub.picture("/storage/log", LOG.encode(), "text/plain"), steps=STEPS)
            git(self.repository, "remote", "add", name.replace("/", "-"), self.hub.clone_url(repo))
        self.hub.token("t-ada", "ada")
        shutil.copytree(self.repository, self.repository.with_name("calc"), symlinks=True)
