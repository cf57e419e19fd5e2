"""Runs a workflow file as GitHub would: its `run:` in bash, its `uses:` by stand-ins; what is not known is an error."""

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

from tests.e2e.stand_ins import STAND_INS
from tests.github_server import Hub
from tests.github_server.state import Repo

HOUSE, CALLER = Path(__file__).resolve().parents[2], ".github/workflows/swe-agent.yml"
FILE = HOUSE / CALLER
TOKENS = re.compile(r"'(?:[^']|'')*'|&&|\|\||[!=]=|[!(),]|[\w.-]+|\s+")
WORDS = {"&&": " and ", "||": " or ", "!": " not "}
Env = dict[str, str]
FUNCTIONS = {"always": lambda: True, "format": lambda text, *given: text.format(*given)}


@dataclass
class Job:
    """`seen` is the environment of each `run:` block, `log` what they printed, `summary` the step summary."""

    result: str = "success"
    outputs: Env = field(default_factory=dict)
    seen: list[Env] = field(default_factory=list)
    log: str = ""
    summary: str = ""


@dataclass
class Workflow:
    """A caller's: `inputs` and `secrets` are what it passes on. Artifacts lie in `folder` by run and name."""

    hub: Hub
    repo: Repo
    folder: Path
    inputs: Mapping[str, Any]
    secrets: Mapping[str, str]
    runs: int = 0

    def run(self, name: str, payload: Mapping[str, Any]) -> dict[str, Job]:
        """All jobs in their order, for an event."""
        self.runs += 1
        self.repo.runs[self.runs] = {"path": CALLER, "event": name, "created_at": self.hub.time()}
        text = yaml.safe_load(FILE.read_text("utf-8"))
        call = text[True]["workflow_call"]  # YAML takes `on` for a truth
        assert self.inputs.keys() | self.secrets.keys() <= call["inputs"].keys() | call["secrets"].keys()
        env = self.hub.env(payload["sender"]["login"], repo=self.repo)
        env |= {"GITHUB_EVENT_NAME": name, "GITHUB_WORKFLOW_REF": f"{self.repo.full_name}/{CALLER}@main"}
        env |= {key: os.environ[key] for key in ("PATH", "LANG", "DOCKER_HOST") if key in os.environ}
        env["GITHUB_RUN_ID"] = str(self.runs)
        del env["GITHUB_TOKEN"]
        github = {key.removeprefix("GITHUB_").lower(): said for key, said in env.items()} | {"event": payload}
        inputs = {key: one["default"] for key, one in call["inputs"].items()} | dict(self.inputs)
        known = {"inputs": inputs, "secrets": self.secrets, "github": github, "steps": {}}
        jobs: dict[str, Job] = {}
        for key, spec in text["jobs"].items():
            before = {one: jobs[one] for one in jobs if one in spec.get("needs", [])}
            here = known | {"needs": {one: vars(job) for one, job in before.items()}}
            goes = condition(spec.get("if"), here, all(job.result == "success" for job in before.values()))
            jobs[key] = self._job(key, spec, here, env | filled(text["env"], here)) if goes else Job("skipped")
        return jobs

    def _job(self, key: str, spec: Any, known: dict[str, Any], env: Env) -> Job:
        home, token, job = self.folder / f"{self.runs}-{key}", f"ghs_{key}{self.runs}", Job()
        may = {name.replace("-", "_"): level for name, level in spec["permissions"].items()} | {"metadata": "read"}
        self.hub.token(token, "github-actions[bot]", may, app=True)
        for name in ("home", "temp", "work"):
            (home / name).mkdir(parents=True)
        (home / "event.json").write_text(json.dumps(known["github"]["event"]))
        env |= {"HOME": f"{home}/home", "RUNNER_TEMP": f"{home}/temp", "GITHUB_WORKSPACE": f"{home}/work"}
        known |= {"runner": {"temp": f"{home}/temp"}, "github": known["github"] | {"token": token}}
        steps = self._steps(spec["steps"], known, env | {"GITHUB_EVENT_PATH": f"{home}/event.json"}, job)
        job.outputs = filled(spec.get("outputs", {}), known | {"steps": steps})
        return job

    def _steps(self, specs: list[Any], known: dict[str, Any], env: Env, job: Job) -> dict[str, Any]:
        steps: dict[str, Any] = {}
        for spec in specs:
            here = known | {"steps": steps}
            if not condition(spec.get("if"), here, job.result == "success"):
                continue
            given, own, put = filled(spec.get("with", {}), here), env | filled(spec.get("env", {}), here), {}
            try:
                if spec.get("uses", "").startswith("$/"):
                    put = self._composite(HOUSE / spec["uses"][2:], given, here, own, job)
                elif "uses" in spec:
                    assert re.fullmatch("[^@]+@[0-9a-f]{40}", spec["uses"]), spec["uses"]
                    put = STAND_INS[spec["uses"][:-41]](self, given, here, own)
                else:
                    put = bash(spec["run"], own, job)
            except (subprocess.CalledProcessError, FileNotFoundError) as error:
                job.log += f"{error}\n"
                job.result = job.result if spec.get("continue-on-error") else "failure"
            steps[spec.get("id", "")] = {"outputs": put}
        return steps

    def _composite(self, folder: Path, given: Env, known: dict[str, Any], env: Env, job: Job) -> Env:
        text = yaml.safe_load((folder / "action.yml").read_text("utf-8"))
        assert given.keys() <= text["inputs"].keys()
        inputs = {key: one.get("default", "") for key, one in text["inputs"].items()} | given
        here = {"inputs": inputs, "runner": known["runner"], "github": known["github"]}  # and no secrets
        steps = self._steps(text["runs"]["steps"], here, env | {"GITHUB_ACTION_PATH": str(folder)}, job)
        return {key: filled(one["value"], {"steps": steps}) for key, one in text["outputs"].items()}


def bash(script: str, env: Env, job: Job) -> Env:
    assert "${{" not in script, "an expression in a script is somebody's text run"
    output, summary = (Path(env["RUNNER_TEMP"]) / name for name in ("output", "summary"))
    output.write_text("")
    job.seen.append(env := env | {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)})
    shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    done = subprocess.run(shell, env=env, cwd=env["GITHUB_WORKSPACE"], stdout=-1, stderr=subprocess.STDOUT, text=True)
    job.log += done.stdout
    job.result = "failure" if done.returncode else job.result
    job.summary = summary.read_text("utf-8") if summary.exists() else ""
    return {name: said for name, _, said in re.findall(r"(.+)<<(.+)\n((?s:.*?))\n\2\n", output.read_text("utf-8"))}


def condition(text: str | None, known: Mapping[str, Any], ok: bool) -> bool:
    """Whether an `if:` lets its job or step run: without always() only where all went well before."""
    here = {name: one for name, one in known.items() if name != "secrets"}
    return (ok or "always()" in (text or "")) and (not text or bool(value(text, here)))


def filled(text: Any, known: Mapping[str, Any]) -> Any:
    """The same with what its expressions come to, in words."""
    if isinstance(text, dict):
        return {key: filled(one, known) for key, one in text.items()}
    word = lambda of: str(of).lower() if isinstance(of, bool) else str(of)
    return re.sub(r"\$\{\{(.*?)\}\}", lambda found: word(value(found[1], known)), word(text))


def value(text: str, known: Mapping[str, Any]) -> Any:
    """What an expression comes to, by way of Python's."""
    tokens = TOKENS.findall(text)
    assert "".join(tokens) == text, f"not understood: {text}"
    python = "".join(WORDS.get(one) or (f"look({one!r})" if re.match(r"[a-z]+\.", one) else one) for one in tokens)
    get = lambda at, name: at.get(name, "") if isinstance(at, Mapping) else ""
    return eval(python.strip(), FUNCTIONS | {"look": lambda path: reduce(get, path.split("."), known)})
