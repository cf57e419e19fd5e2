"""What stands in for the actions that the workflow uses, each under its name: what it is given, what it puts out."""

from __future__ import annotations

import base64
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.e2e.workflow import Workflow

Outputs = dict[str, str]
StandIn = Callable[["Workflow", Mapping[str, str], Mapping[str, Any], Mapping[str, str]], Outputs]
PYTHON = f"""#!/bin/sh
case "$1 $2" in
    "-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    "-m pip") echo "$*" >>"$RUNNER_TEMP/pip" ;;
    *) exec {sys.executable} "$@" ;;
esac
"""
"""Its venvs are the one that runs the tests; what pip is told to install is written down."""
APP_KEY = "the key of an App"


def checkout(run: Workflow, given: Mapping[str, str], known: Mapping[str, Any], env: Mapping[str, str]) -> Outputs:
    """From the server, with the job's token, which is not kept."""
    assert given["persist-credentials"] == "false"
    folder = Path(env["GITHUB_WORKSPACE"], given["path"])
    basic = base64.b64encode(f"x-access-token:{known['github']['token']}".encode()).decode()
    depth = [] if given["fetch-depth"] == "0" else [f"--depth={given['fetch-depth']}"]
    url = f"{env['GITHUB_SERVER_URL']}/{env['GITHUB_REPOSITORY']}"
    git = ["git", "-C", str(folder)]
    for command in (
        ["git", "init", "-q", str(folder)],
        [*git, "remote", "add", "origin", url],
        [*git, "-c", f"http.extraheader=AUTHORIZATION: basic {basic}", "fetch", "-q", *depth, "origin", given["ref"]],
        [*git, "checkout", "-q", "FETCH_HEAD"],
    ):
        subprocess.run(command, env=dict(env), check=True, capture_output=True)
    return {}


def upload(run: Workflow, given: Mapping[str, str], known: Mapping[str, Any], env: Mapping[str, str]) -> Outputs:
    """A file, or what is in a folder, under the run's number and a name."""
    source, target = Path(given["path"]), run.folder / "artifacts" / env["GITHUB_RUN_ID"] / given["name"]
    assert given["overwrite"] == "true"
    shutil.rmtree(target, ignore_errors=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        target.mkdir(parents=True)
        shutil.copy(source, target)
    files = sorted(file for file in target.rglob("*") if file.is_file())
    return {"artifact-digest": sha256(b"".join(file.read_bytes() for file in files)).hexdigest()}


def download(run: Workflow, given: Mapping[str, str], known: Mapping[str, Any], env: Mapping[str, str]) -> Outputs:
    """One of this run's; of another's only with a token that may read runs. Raises FileNotFoundError for none."""
    if "run-id" in given:
        assert run.hub.tokens[given["github-token"]].permissions.get("actions") == "read"
    source = run.folder / "artifacts" / given.get("run-id", env["GITHUB_RUN_ID"]) / given["name"]
    shutil.copytree(source, given["path"], dirs_exist_ok=True)
    return {"download-path": given["path"]}


def app_token(run: Workflow, given: Mapping[str, str], known: Mapping[str, Any], env: Mapping[str, str]) -> Outputs:
    """What the App may do at most, and of that what is asked for."""
    assert given["private-key"] == APP_KEY
    may = {name[11:].replace("-", "_"): level for name, level in given.items() if name.startswith("permission-")}
    token = run.hub.token(f"ghs_app{len(run.hub.tokens)}", "fixer[bot]", may | {"metadata": "read"}, app=True)
    return {"token": token, "app-slug": "fixer"}


def setup_python(run: Workflow, given: Mapping[str, str], known: Mapping[str, Any], env: Mapping[str, str]) -> Outputs:
    path = Path(env["RUNNER_TEMP"], "python")
    path.write_text(PYTHON)
    path.chmod(0o755)
    return {"python-path": str(path)}


STAND_INS: dict[str, StandIn] = {
    "actions/checkout": checkout,
    "actions/upload-artifact": upload,
    "actions/download-artifact": download,
    "actions/create-github-app-token": app_token,
    "actions/setup-python": setup_python,
}
