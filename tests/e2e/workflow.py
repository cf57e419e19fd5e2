"""Run a workflow file as GitHub does: `run:` in bash, `uses:` by fakes; anything unknown is an error."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.fake_actions import FAKE_ACTIONS
from tests.github_server import Hub
from tests.github_server.state import Repo

ROOT, CALLER = Path(__file__).resolve().parents[2], ".github/workflows/swe-agent.yml"
FILE = ROOT / CALLER
TOKENS = re.compile(r"'(?:[^']|'')*'|&&|\|\||[!=]=|[!(),]|[\w.-]+|\s+")
OPERATORS = {"&&": " and ", "||": " or ", "!": " not "}
Env = dict[str, str]
FUNCTIONS = {"always": lambda: True, "format": lambda text, *given: text.format(*given)}


@dataclass
class Job:
    """`environments` are those of each `run:` block, `log` is their output, `summary` the step summary."""

    result: str = "success"
    outputs: Env = field(default_factory=dict)
    environments: list[Env] = field(default_factory=list)
    log: str = ""
    summary: str = ""


@dataclass
class Workflow:
    """A caller's workflow: `inputs` and `secrets` are passed on. `folder` has artifacts by run and name."""

    hub: Hub
    repo: Repo
    folder: Path
    inputs: Mapping[str, Any]
    secrets: Mapping[str, str]
    runs: int = 0
    file: Path = FILE

    def run(self, name: str, payload: Mapping[str, Any]) -> dict[str, Job]:
        """Run all jobs in order for an event."""
        self.runs += 1
        self.repo.runs[self.runs] = {"path": CALLER, "event": name, "created_at": self.hub.time()}
        text = yaml.safe_load(self.file.read_text("utf-8"))
        call = text[True]["workflow_call"]  # YAML reads `on` as true
        assert self.inputs.keys() | self.secrets.keys() <= call["inputs"].keys() | call.get("secrets", {}).keys()
        env = self.hub.env(payload["sender"]["login"], repo=self.repo)
        env |= {"GITHUB_EVENT_NAME": name, "GITHUB_WORKFLOW_REF": f"{self.repo.full_name}/{CALLER}@main"}
        env |= {key: os.environ[key] for key in ("PATH", "LANG", "DOCKER_HOST") if key in os.environ}
        env["GITHUB_RUN_ID"] = str(self.runs)
        del env["GITHUB_TOKEN"]
        github = {key.removeprefix("GITHUB_").lower(): value_of_key for key, value_of_key in env.items()} | {
            "event": payload
        }
        inputs = {key: item["default"] for key, item in call["inputs"].items()} | dict(self.inputs)
        context = {"inputs": inputs, "secrets": self.secrets, "github": github, "steps": {}}
        jobs: dict[str, Job] = {}
        for key, spec in text["jobs"].items():
            needed_jobs = {item: jobs[item] for item in jobs if item in spec.get("needs", [])}
            local_context = context | {"needs": {item: vars(job) for item, job in needed_jobs.items()}}
            runs_job = condition(
                spec.get("if"), local_context, all(job.result == "success" for job in needed_jobs.values())
            )
            jobs[key] = (
                self._job(key, spec, local_context, env | expand(text.get("env", {}), local_context))
                if runs_job
                else Job("skipped")
            )
        return jobs

    def _job(self, key: str, spec: Any, context: dict[str, Any], env: Env) -> Job:
        home, token, job = self.folder / f"{self.runs}-{key}", f"ghs_{key}{self.runs}", Job()
        permissions = {name.replace("-", "_"): level for name, level in spec["permissions"].items()} | {
            "metadata": "read"
        }
        self.hub.token(token, "github-actions[bot]", permissions, app=True)
        for name in ("home", "temp", "work"):
            (home / name).mkdir(parents=True)
        (home / "event.json").write_text(json.dumps(context["github"]["event"]))
        env |= {"HOME": f"{home}/home", "RUNNER_TEMP": f"{home}/temp", "GITHUB_WORKSPACE": f"{home}/work"}
        context |= {"runner": {"temp": f"{home}/temp"}, "github": context["github"] | {"token": token}}
        steps = self._steps(spec["steps"], context, env | {"GITHUB_EVENT_PATH": f"{home}/event.json"}, job)
        job.outputs = expand(spec.get("outputs", {}), context | {"steps": steps})
        return job

    def _steps(self, specs: list[Any], context: dict[str, Any], env: Env, job: Job) -> dict[str, Any]:
        steps: dict[str, Any] = {}
        for spec in specs:
            local_context = context | {"steps": steps}
            if not condition(spec.get("if"), local_context, job.result == "success"):
                continue
            inputs, step_env, outputs = (
                expand(spec.get("with", {}), local_context),
                env | expand(spec.get("env", {}), local_context),
                {},
            )
            try:
                if spec.get("uses", "").startswith("$/"):
                    outputs = self._composite(ROOT / spec["uses"][2:], inputs, local_context, step_env, job)
                elif "uses" in spec:
                    assert re.fullmatch("[^@]+@[0-9a-f]{40}", spec["uses"]), spec["uses"]
                    outputs = FAKE_ACTIONS[spec["uses"][:-41]](self, inputs, local_context, step_env)
                else:
                    outputs = bash(spec["run"], step_env, job)
            except (subprocess.CalledProcessError, FileNotFoundError) as error:
                job.log += f"{error}\n"
                job.result = job.result if spec.get("continue-on-error") else "failure"
            steps[spec.get("id", "")] = {"outputs": outputs}
        return steps

    def _composite(self, folder: Path, action_inputs: Env, context: dict[str, Any], env: Env, job: Job) -> Env:
        text = yaml.safe_load((folder / "action.yml").read_text("utf-8"))
        assert action_inputs.keys() <= text["inputs"].keys()
        inputs = {key: item.get("default", "") for key, item in text["inputs"].items()} | action_inputs
        local_context = {"inputs": inputs, "runner": context["runner"], "github": context["github"]}  # no secrets
        steps = self._steps(text["runs"]["steps"], local_context, env | {"GITHUB_ACTION_PATH": str(folder)}, job)
        return {key: expand(item["value"], {"steps": steps}) for key, item in text["outputs"].items()}


def bash(script: str, env: Env, job: Job) -> Env:
    assert "${{" not in script, "an expression in a script runs untrusted text"
    output, summary = (Path(env["RUNNER_TEMP"]) / name for name in ("output", "summary"))
    output.write_text("")
    job.environments.append(env := env | {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)})
    shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    completed = subprocess.run(
        shell, env=env, cwd=env["GITHUB_WORKSPACE"], stdout=-1, stderr=subprocess.STDOUT, text=True
    )
    job.log += completed.stdout
    job.result = "failure" if completed.returncode else job.result
    job.summary = summary.read_text("utf-8") if summary.exists() else ""
    return {name: text for name, _, text in re.findall(r"(.+)<<(.+)\n((?s:.*?))\n\2\n", output.read_text("utf-8"))}


def condition(text: str | None, context: Mapping[str, Any], ok: bool) -> bool:
    """Whether the `if:` of a job or step is true; without always() only if everything before succeeded."""
    local_context = {name: item for name, item in context.items() if name != "secrets"}
    return (ok or "always()" in (text or "")) and (not text or bool(value(text, local_context)))


def expand(text: Any, context: Mapping[str, Any]) -> Any:
    """Replace the expressions in all texts by their values."""
    if isinstance(text, dict):
        return {key: expand(item, context) for key, item in text.items()}
    word = lambda of: str(of).lower() if isinstance(of, bool) else str(of)
    return re.sub(r"\$\{\{(.*?)\}\}", lambda match: word(value(match[1], context)), word(text))


def value(text: str, context: Mapping[str, Any]) -> Any:
    """Evaluate an expression by translating it to Python."""
    tokens = TOKENS.findall(text)
    assert "".join(tokens) == text, f"not understood: {text}"
    python = "".join(
        OPERATORS.get(item) or (f"look({item!r})" if re.match(r"[a-z]+\.", item) else item) for item in tokens
    )
    get = lambda at, name: at.get(name, "") if isinstance(at, Mapping) else ""
    return eval(python.strip(), FUNCTIONS | {"look": lambda path: reduce(get, path.split("."), context)})
