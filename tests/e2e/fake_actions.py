"""Fakes of the actions that the workflow uses, by name: each takes an action's inputs and returns its outputs."""

from __future__ import annotations

import base64
import shlex
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
FakeAction = Callable[["Workflow", Mapping[str, str], Mapping[str, Any], Mapping[str, str]], Outputs]
PYTHON = f"""#!/bin/sh
case "$1 $2" in
    "-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    "-m pip") echo "$*" >>"$RUNNER_TEMP/pip" ;;
    *) exec {shlex.quote(sys.executable)} "$@" ;;
esac
"""
"""Its virtual environments are the one of the tests; packages for pip to install are only recorded."""
APP_KEY = "the key of an App"


def checkout(run: Workflow, inputs: Mapping[str, str], context: Mapping[str, Any], env: Mapping[str, str]) -> Outputs:
    """From the server, with the job's token, which is not persisted."""
    assert inputs["persist-credentials"] == "false"
    folder = Path(env["GITHUB_WORKSPACE"], inputs["path"])
    basic = base64.b64encode(f"x-access-token:{context['github']['token']}".encode()).decode()
    depth = [] if inputs["fetch-depth"] == "0" else [f"--depth={inputs['fetch-depth']}"]
    url = f"{env['GITHUB_SERVER_URL']}/{env['GITHUB_REPOSITORY']}"
    git = ["git", "-C", str(folder)]
    for command in (
        ["git", "init", "-q", str(folder)],
        [*git, "remote", "add", "origin", url],
        [*git, "-c", f"http.extraheader=AUTHORIZATION: basic {basic}", "fetch", "-q", *depth, "origin", inputs["ref"]],
        [*git, "checkout", "-q", "FETCH_HEAD"],
    ):
        subprocess.run(command, env=dict(env), check=True, capture_output=True)
    return {}


def upload(run: Workflow, inputs: Mapping[str, str], context: Mapping[str, Any], env: Mapping[str, str]) -> Outputs:
    """A file, or the content of a folder, under the run's number and a name."""
    source, target = Path(inputs["path"]), run.folder / "artifacts" / env["GITHUB_RUN_ID"] / inputs["name"]
    assert inputs["overwrite"] == "true"
    shutil.rmtree(target, ignore_errors=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        target.mkdir(parents=True)
        shutil.copy(source, target)
    files = sorted(file for file in target.rglob("*") if file.is_file())
    return {"artifact-digest": sha256(b"".join(file.read_bytes() for file in files)).hexdigest()}


def download(run: Workflow, inputs: Mapping[str, str], context: Mapping[str, Any], env: Mapping[str, str]) -> Outputs:
    """An artifact of this run; one of another run only with a token that may read runs. Raises FileNotFoundError."""
    if "run-id" in inputs:
        assert run.hub.tokens[inputs["github-token"]].permissions.get("actions") == "read"
    source = run.folder / "artifacts" / inputs.get("run-id", env["GITHUB_RUN_ID"]) / inputs["name"]
    shutil.copytree(source, inputs["path"], dirs_exist_ok=True)
    return {"download-path": inputs["path"]}


def app_token(run: Workflow, inputs: Mapping[str, str], context: Mapping[str, Any], env: Mapping[str, str]) -> Outputs:
    """The requested permissions of the App."""
    assert inputs["private-key"] == APP_KEY
    permissions = {
        name[11:].replace("-", "_"): level for name, level in inputs.items() if name.startswith("permission-")
    }
    token = run.hub.token(f"ghs_app{len(run.hub.tokens)}", "fixer[bot]", permissions | {"metadata": "read"}, app=True)
    return {"token": token, "app-slug": "fixer"}


def setup_python(
    run: Workflow, inputs: Mapping[str, str], context: Mapping[str, Any], env: Mapping[str, str]
) -> Outputs:
    path = Path(env["RUNNER_TEMP"], "python")
    path.write_text(PYTHON)
    path.chmod(0o755)
    return {"python-path": str(path)}


FAKE_ACTIONS: dict[str, FakeAction] = {
    "actions/checkout": checkout,
    "actions/upload-artifact": upload,
    "actions/download-artifact": download,
    "actions/create-github-app-token": app_token,
    "actions/setup-python": setup_python,
}
