"""Packages of the base's date: the index that omits later files, and the options for npm."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.request import urlopen

import pytest

from aci.environments.environment_plan import EnvironmentOptions
from aci.repository.user_repository import Repository
from aci.runtime.workspace import WorkspaceOptions
from extensions.environments.environment import plan_for
from extensions.environments.guest import dated_index
from extensions.environments.package_dates import add_date_option, chooses_versions
from extensions.environments.smoke_check import SmokeResult, _summary_counts
from tests.conftest import MakeRepo
from trajectories.git_store.trees import Trees

TIME = "2025-05-17T08:13:06"
HTML = """<html><body>
<a href="../../files/x-1.0.tar.gz#sha256=aa" data-requires-python="&gt;=3.8" data-upload-time="2025-05-17T08:13:06.5Z">x-1.0.tar.gz</a>
<a href="../../files/x-2.0.tar.gz#sha256=bb" data-upload-time="2025-05-17T08:13:07Z">x-2.0.tar.gz</a>
</body></html>"""  # noqa: E501
JSON = {
    "files": [
        {
            "filename": "y-1.tar.gz",
            "url": "/y-1.tar.gz",
            "hashes": {"sha256": "cc"},
            "upload-time": "2024-01-01T00:00:00Z",
        },
        {"filename": "y-2.tar.gz", "url": "/y-2.tar.gz", "yanked": "bad", "upload-time": "2026-01-01T00:00:00Z"},
    ],
}
PAGES = {
    "/simple/x/": ("text/html", HTML),
    "/simple/y/": ("application/vnd.pypi.simple.v1+json", json.dumps(JSON)),
    "/simple/z/": ("text/html", '<a href="/files/z-1.tar.gz">z</a><a href="/files/z-2.tar.gz">z</a>'),
    "/pypi/z/json": (
        "application/json",
        json.dumps(
            {
                "releases": {
                    "1": [{"filename": "z-1.tar.gz", "upload_time_iso_8601": "2020-01-01T00:00:00.123Z"}],
                    "2": [{"filename": "z-2.tar.gz", "upload_time_iso_8601": "2026-01-01T00:00:00.123Z"}],
                }
            }
        ),
    ),
    "/simple/new/": (
        "text/html",
        '<a href="/files/new-1.whl" data-upload-time="2026-01-01T00:00:00Z" data-core-metadata="true">n</a>',
    ),
    "/simple/silent/": ("text/html", '<a href="/files/silent-1.whl">s</a>'),
    "/simple/broken/": ("application/vnd.pypi.simple.v1+json", "<html>"),
}


class Index(BaseHTTPRequestHandler):
    def code(self) -> int:
        return 200

    def do_GET(self) -> None:
        kind, text = PAGES.get(self.path, ("", ""))
        self.send_response(self.code() if kind else 404)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serve(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def index() -> Iterator[str]:
    with serve(Index) as upstream:
        attributes = {"last": TIME, "indexes": (f"{upstream}/simple", f"{upstream}/none/")}
        with serve(type("Dated", (dated_index.Handler,), attributes)) as dated:
            yield dated


def file_names(index: str, package: str) -> list[str]:
    return [each["name"] for each in dated_index.list_files(f"{index}/simple", package)]


@pytest.mark.parametrize(
    ("package", "expected"),
    [
        ("x", ["x-1.0.tar.gz"]),
        ("y", ["y-1.tar.gz"]),
        ("z", ["z-1.tar.gz"]),
        ("new", ["new-1.whl"]),
        ("silent", ["silent-1.whl"]),
        ("gone", []),
    ],
)
def test_files_uploaded_later_are_omitted(index: str, package: str, expected: list[str]) -> None:
    assert file_names(index, package) == expected


def test_link_has_hash_and_metadata_for_pip(index: str) -> None:
    (link,) = dated_index.list_files(f"{index}/simple", "x")
    assert link["href"].endswith("/files/x-1.0.tar.gz#sha256=aa")
    assert link["href"].startswith("http://127.0.0.1:")
    assert link["data-requires-python"] == ">=3.8"
    assert dated_index.list_files(f"{index}/simple", "new")[0]["data-core-metadata"] == "true"
    assert dated_index.list_files(f"{index}/simple", "y")[0]["href"].endswith("y-1.tar.gz#sha256=cc")


def test_invalid_answer_of_index_is_error(index: str) -> None:
    with pytest.raises(OSError, match="502"):
        urlopen(f"{index}/simple/broken/")


def test_request_is_repeated_after_server_error(index: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PAGES, "/simple/x/", ("text/html", "<a href='/x-1.whl' data-upload-time='2020'>"))
    statuses = iter([503, 502, 200])
    monkeypatch.setattr(Index, "code", lambda self: next(statuses))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    assert "/x-1.whl" in urlopen(f"{index}/simple/x/").read().decode()
    assert next(statuses, None) is None


@pytest.mark.parametrize("path", ["/", "/simple/", "/simple/../etc/", "/simple/x", "/other/x/"])
def test_other_path_is_not_found(index: str, path: str) -> None:
    with pytest.raises(OSError, match="404"):
        urlopen(index + path)


@pytest.mark.slow
def test_pip_finds_only_older_version(index: str) -> None:
    pythons = dict.fromkeys([sys.executable, f"{sys.base_prefix}/bin/python3"])  # a venv created by uv has no pip
    with_pip = [
        python for python in pythons if not subprocess.run([python, "-m", "pip", "-V"], capture_output=True).returncode
    ]
    if not with_pip:
        pytest.skip("no pip here")
    command = [with_pip[0], "-m", "pip", "--isolated", "--no-input", "--proxy", "", "index", "versions", "x"]
    result = subprocess.run([*command, "-i", f"{index}/simple"], capture_output=True, text=True)
    assert "Available versions: 1.0\n" in result.stdout, result.stderr


def test_commands_without_lock_file_choose_versions() -> None:
    assert chooses_versions("python", ["python3 -m venv v", "pip install -e ."])
    assert chooses_versions("node", ["npm ci", "npm install --no-audit"])
    assert not chooses_versions("node", ["npm install --global pnpm && pnpm install --frozen-lockfile", "npm ci"])
    assert not chooses_versions("go", ["go mod download"])


def test_result_with_more_passing_tests_is_better() -> None:
    some, all_, none = (
        SmokeResult("", "t", 4, 3, 1, failing=True),
        SmokeResult("", "t", 4, 4, 0),
        SmokeResult("", "t", 0, 0, failing=True),
    )
    assert all_.better(some)
    assert some.better(none)
    assert not some.better(all_)
    assert not some.better(some)
    fails, succeeds, unknown = SmokeResult("", "t", failing=True), SmokeResult("", "t"), SmokeResult("")
    assert succeeds.better(fails)
    assert not fails.better(succeeds)
    assert not unknown.better(fails)


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("  273 passing (1s)\n  4 pending\n  2 failing\n", (273, 2)),
        ("Test Suites: 1 failed, 1 passed, 2 total\nTests:       3 failed, 5 passed, 8 total\n", (5, 3)),
        (" Test Files  1 failed | 1 passed (2)\n      Tests  2 failed | 7 passed (9)\n", (7, 2)),
        ("Tests:       8 passed, 8 total\n", (8, 0)),
        ("nothing of the kind: 3 passed\n", (-1, -1)),
    ],
)
def test_summaries_of_javascript_runners_are_counted(output: str, expected: tuple[int, int]) -> None:
    assert _summary_counts(output) == expected


def test_plan_mentions_date_of_code_if_packages_depend_on_it(make_repo: MakeRepo, tmp_path: Path) -> None:
    def reasons(folder: Path) -> str:
        repository = Repository.open(folder)
        with Trees(tmp_path / f"trees{len(list(tmp_path.iterdir()))}.git") as trees:
            options = WorkspaceOptions(repository, repository.base(trees), trees)
            return " ".join(plan_for(options, EnvironmentOptions(images={"python": "py", "go": "gopher"})).reasons)

    old = make_repo({"setup.py": "import setuptools\n\nsetuptools.setup(name='x')\n"})
    assert "those of 2023-11-14, the date of its code, are tried" in reasons(old)
    assert "date of its code" not in reasons(make_repo({"go.mod": "module x\n"}))
    now = {**os.environ, "GIT_COMMITTER_DATE": f"{int(time.time())} +0000"}
    person = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
    for name, is_mentioned in (("README.md", True), ("code.py", False)):
        (old / name).write_text("x = 1\n")
        subprocess.run(["git", "-C", old, "add", name], check=True)
        subprocess.run(["git", "-C", old, *person, "commit", "-q", "-m", "later"], env=now, check=True)
        assert ("2023-11-14, the date of its code" in reasons(old)) is is_mentioned


def test_npm_command_has_date_option() -> None:
    dated = "npm install --before=2025-05-17T08:13:06Z"
    date = datetime.fromisoformat(f"{TIME}+00:00")
    assert add_date_option("cd web && npm install --no-fund", date) == f"cd web && {dated} --no-fund"
    assert (
        add_date_option("npm install --global pnpm && pnpm install", date)
        == "npm install --global pnpm && pnpm install"
    )
    assert add_date_option("npm ci", date) == "npm ci"
