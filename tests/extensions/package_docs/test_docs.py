"""The `docs` tool: installed packages, as they are in the environment of the workspace."""

from __future__ import annotations

import os
import subprocess
import venv
from pathlib import Path

import pytest

from aci.host.project_python import pyenv_prefixes
from tests.tools.conftest import Bench, MakeBench

pytestmark = pytest.mark.slow

CORE = (
    "raise SystemExit('imported')\n\n\n"
    "class Client:\n"
    '    """Talks to a till."""\n\n'
    "    @property\n    def open(self): return True\n\n"
    "    def send(self, data, *, retries=3):\n"
    '        """Send data."""\n'
    "        return data\n\n\n"
    "def huge():\n" + "    x = 1\n" * 900 + "\n\nTIMEOUT = 30\n"
)
PACKAGE = {
    "tillkit/__init__.py": '"""A kit."""\nfrom .core import Client as Till\nfrom .core import *\nfrom .gone import N\n',
    "tillkit/core.py": CORE,
    "tillkit/CHANGES.md": "# Changes\n\n## 3.0\nLater.\n\n## 2.1.0\n\n`send` takes `retries` by name only.\n\n## 2.0\n",
    "tillkit-2.1.0.dist-info/RECORD": "tillkit/__init__.py,,\ntillkit/core.py,,\n../CHANGES,,\ntillkit/CHANGES.md,,\n",
    "nested/__init__.py": "def deep(:\n",
}
NODE = {
    "node_modules/left-pad/package.json": '{"version": "1.3.0", "types": "./types.d.ts"}',
    "node_modules/left-pad/types.d.ts": "export declare function pad(text: string, size: number): string;\n",
    "node_modules/odd/package.json": "[" * 100_000,
}
FILES = {
    "own.py": "x = 1\n",
    "src/mine/__init__.py": "",
    "backend/kit/__init__.py": "",
    "python/space/part/__init__.py": "",
    "tests/tillkit/__init__.py": "",
    "own-package/package.json": '{"name": "@own/package"}',
    ".gitignore": "node_modules/\n",
}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the package."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    venv.create(folder, with_pip=False, symlinks=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    for path, text in PACKAGE.items():
        (packages / path).parent.mkdir(exist_ok=True)
        (packages / path).write_text(text)
    return folder


@pytest.fixture
def bench(make_bench: MakeBench, environment: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = make_bench(FILES)
    made.workspace.run(f"export PATH={environment}/bin:$PATH", session="tests")
    made.may_run = False
    for path, text in NODE.items():
        made.workspace.write(path, text.encode())
    return made


def test_name_is_found_through_re_exports_without_an_import(bench: Bench) -> None:
    text = bench("docs", name="tillkit.Till.send").text
    assert "(tillkit 2.1.0)" in text
    assert "core.py:10" in text
    assert "def send(self, data, *, retries=3):" in text
    assert "takes `retries` by name only" in text
    assert "Later." not in text
    assert '"""Talks to a till."""' in bench("docs", name="tillkit.Client").text
    assert "TIMEOUT = 30" in bench("docs", name="tillkit.TIMEOUT").text
    assert "A kit." in bench("docs", name="tillkit").text


def test_large_source_is_cut(bench: Bench) -> None:
    seen = bench("docs", name="tillkit.huge")
    assert len(seen.text) < 16_000
    assert "more lines" in seen.text


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("tillkit.Cleint", "tillkit has no such name: `tillkit.Cleint`.\nSimilar: Client"),
        ("tillkit.Client.sent", "tillkit.core.Client has no such name: `tillkit.Client.sent`.\nSimilar: send"),
        ("tillkti", "No such package is installed: `tillkti`.\nSimilar: tillkit"),
        ("tillkit.core.hug", "Similar: huge"),
        ("nested.deep", "nested has no such name"),
        ("own.x", "own.x is part of this repository: own.py"),
        ("mine", "mine is part of this repository: src/mine/__init__.py"),
        ("kit.core", "kit.core is part of this repository: backend/kit/__init__.py"),
        ("space.part.x", "space.part.x is part of this repository: python/space/part/__init__.py"),
        ("space.other", "No such package is installed"),
        ("@own/package/util", "@own/package/util is part of this repository: own-package/package.json"),
        ("../etc/passwd", "is no name of a package"),
        ("x; touch /tmp/y", "is no name of a package"),
        ("odd", "No such package is installed"),
    ],
)
def test_names_that_do_not_exist(bench: Bench, name: str, expected: str) -> None:
    seen = bench("docs", name=name)
    assert not seen.ok
    assert expected in seen.text


def test_compiled_module_is_imported_if_code_may_run(bench: Bench) -> None:
    assert "sqrt" not in bench("docs", name="math.sqrt").text.partition("\n")[2]
    bench.may_run = True
    assert "sqrt(x, /)" in bench("docs", name="math.sqrt").text


def test_node_package_shows_version_and_declarations(bench: Bench) -> None:
    assert "size: number" in bench("docs", name="left-pad").text
    assert bench("docs", name="left-pad.pad").text.startswith('left-pad "1.3.0" (node_modules/left-pad/types.d.ts)')


def test_program_runs_under_old_python(environment: Path) -> None:
    pythons = [prefix / "bin/python3" for prefix in pyenv_prefixes(os.environ, "3.[78].*")]
    if not pythons:
        pytest.skip("pyenv has no old Python")
    program = Path(__file__).parents[3] / "extensions/package_docs/guest/package_docs.py"
    packages = next(environment.glob("lib/python*/site-packages"))
    words = [str(pythons[0]), str(program), "tillkit.Till.send", "0"]
    ran = subprocess.run(words, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(packages)})
    assert "retries=3" in ran.stdout, ran.stderr
