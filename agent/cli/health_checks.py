"""The checks of `doctor`. Each reports what it found and, if something is wrong, how to fix it."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aci.docker.base_image import DEFAULT_IMAGE
from agent.config.settings import Settings
from agent.config.workspace_choice import choose_workspace
from agent.limits.run_budget import SMALLEST_OUTPUT, dollars
from trajectories.errors import ConfigError, SweAgentError, WorkspaceError

if TYPE_CHECKING:
    from aci.docker.leftover_cleanup import CleanupResult
    from agent.models.base import Model

QUESTION = "Answer with the one word: yes"
PATIENCE = 30.0
"""Seconds without an answer after which the check of a model fails."""
LEAST_GIT = (2, 36)
LEAST_DISK = 2.0
"""Minimum free disk space in GiB, for a base image layer, a tree store and tests."""


@dataclass(frozen=True, slots=True)
class Finding:
    name: str
    ok: bool
    found: str
    fix: str = ""
    code: int = WorkspaceError.code
    """The exit code of a run that fails for this reason."""


LOCAL = Finding("workspace", True, "local, which isolates nothing: commands run as you, without limits")


def run_health_checks(settings: Settings, ask: bool = False) -> list[Finding]:
    """Check everything that a run needs, in the order in which the run uses it. If `ask` is true, the model is sent a
    request, which is billed."""
    settings = choose_workspace(settings, lambda text: None)
    findings = [_system(), _git(), _state(settings.state)]
    if settings.workspace == "docker":
        findings += _docker(settings.image or settings.images.get("python", DEFAULT_IMAGE))
    else:
        is_sandboxed = settings.workspace == "sandbox"
        findings += [_sandbox() if is_sandboxed else LOCAL, _python(Path.cwd())]
    return findings + _model(settings, ask)


def clean_up() -> tuple[list[CleanupResult], str]:
    """Remove leftovers; return what was removed, and the reason if Docker could not be cleaned."""
    from platformdirs import user_cache_path

    from aci.docker.docker_daemon import connect
    from aci.docker.leftover_cleanup import clean_daemon, clean_folders

    removed = clean_folders(user_cache_path("swe-agent") / "locks")
    try:
        daemon = connect()
    except WorkspaceError as error:
        return removed, error.message
    try:
        return clean_daemon(daemon) + removed, ""
    except WorkspaceError as error:
        return removed, error.message
    finally:
        daemon.rest()


def _system() -> Finding:
    name = platform.system()
    return Finding(
        "system", name in ("Linux", "Darwin"), name, "Use Linux or macOS; on Windows install WSL2 and run inside it."
    )


def _git() -> Finding:
    fix = f"Install git {'.'.join(map(str, LEAST_GIT))} or newer."
    try:
        output = subprocess.run(
            ["git", "--version"], capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return Finding("git", False, "not found", fix)
    version = tuple(int(part) for part in re.findall(r"\d+", output)[:2])
    return Finding("git", version >= LEAST_GIT, output, fix)


def _state(state: Path) -> Finding:
    folder = next(parent for parent in (state, *state.parents) if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        return Finding(
            "disk", False, f"{folder} cannot be written", "Set SWE_AGENT_STATE to a folder that you can write to."
        )
    free = shutil.disk_usage(folder).free / 2**30
    return Finding(
        "disk", free >= LEAST_DISK, f"{free:.1f} GiB free for {state}", f"Make at least {LEAST_DISK:g} GiB free."
    )


def _python(folder: Path) -> Finding:
    """Report the Python that runs the tests of the repository in a folder without a container."""
    from aci.host.project_python import find_project_python
    from aci.host.sandbox_process import sandbox_error
    from aci.repository.user_repository import Repository

    program = shutil.which("python3") or shutil.which("python") or ""
    is_made = bool(program) and not sandbox_error()
    made = "; a project without an environment gets one, which is set up once" if is_made else ""
    other = Finding("python", bool(program), (program or "no python3 on the PATH") + made, "Install Python.")
    try:
        source = Repository.open(folder)
    except SweAgentError:
        return other

    def is_tracked(path: str) -> bool:
        return any(source.file(name, "HEAD") is not None for name in (path, f"{path}/pyvenv.cfg"))

    found = find_project_python(source.root, os.environ, is_tracked)
    return Finding("python", True, f"{found.version} of {found.prefix}: {found.reason}".strip()) if found else other


def _sandbox() -> Finding:
    """Report whether a sandbox works here, and which limits it does not have."""
    from aci.host.sandbox_process import sandbox_error
    from aci.host.systemd_scope import systemd_run

    if error := sandbox_error():
        return Finding("workspace", False, error.message, error.fix)
    limits = "memory is limited for each process, not in total; CPU time is not limited; files by their total size"
    if systemd_run():
        limits = "memory, processes and CPUs are limited in total by a systemd scope; files by their total size"
    return Finding("workspace", True, f"bubblewrap sandbox: {limits}")


def _docker(image: str) -> list[Finding]:
    from docker.errors import DockerException, ImageNotFound

    from aci.docker.docker_daemon import connect

    try:
        daemon = connect()
    except WorkspaceError as error:
        return [Finding("docker", False, error.message, error.fix)]
    findings = [Finding("docker", True, f"daemon {daemon.client.version()['Version']} at {daemon.address}")]
    try:
        findings.append(_seccomp(daemon.client.info(), daemon.is_podman()))
        daemon.client.images.get(image)
        findings.append(Finding("image", True, f"{image} is present"))
    except ImageNotFound:
        findings.append(Finding("image", True, f"{image} is not present; `fix` pulls it"))
    except DockerException as error:
        findings.append(Finding("image", False, str(error).splitlines()[0][:120], "Name another with --image."))
    finally:
        daemon.client.close()
    return findings


def _seccomp(info: Mapping[str, Any], is_podman: bool) -> Finding:
    """Report the seccomp profile of containers; a daemon that accepts no profile uses its own."""
    from aci.docker.container_limits import has_seccomp_profile

    if not any(str(option).startswith("name=seccomp") for option in info.get("SecurityOptions") or ()):
        fix = "Use a kernel and a daemon with seccomp support."
        return Finding("seccomp", False, "the daemon does not filter system calls of containers", fix)
    own = "the daemon's own profile, which may allow AF_VSOCK, AF_ALG and io_uring"
    if is_podman:
        return Finding("seccomp", True, f"{own}: Podman accepts no profile from its clients")
    if not has_seccomp_profile():
        return Finding("seccomp", True, f"{own}: the profile of swe-agent is for x86-64 and ARM64")
    return Finding("seccomp", True, "the profile of swe-agent: no AF_VSOCK, AF_ALG, io_uring")


def _model(settings: Settings, ask: bool) -> list[Finding]:
    from agent.models.base import load_model

    if not settings.model:
        none = "no model is configured; `fix` uses the strategy `templates`, which needs none"
        return [Finding("model", not ask, none, "Name one with --model.", ConfigError.code)]
    try:
        limits = {name: min(PATIENCE, getattr(settings, name)) for name in ("first_timeout", "model_timeout")}
        model = load_model(settings.model, settings.model_copy(update=limits))
    except SweAgentError as error:
        return [Finding("model", False, error.message, error.fix, error.code)]
    window = f"{model.window:,} tokens of context" if model.window else "context window unknown"
    findings = [
        Finding("model", True, f"{model.name}: {window}, replies up to {model.max_output:,} tokens"),
        _price(model, settings),
        *_key(model, settings),
    ]
    return [*findings, _answer(model)] if ask else findings


def _price(model: Model, settings: Settings) -> Finding:
    price, name = model.price, settings.model
    if price is not None:
        cached = "" if price.cached is None else f", ${price.cached:g} cached"
        source = "your config" if price.own else "the bundled price map"
        return Finding(
            "price", True, f"${price.input:g} in, ${price.output:g} out{cached} per million tokens, by {source}"
        )
    fix = f"`swe-agent config set models.{name}.price_in DOLLARS`, the same for price_out; or give --max-tokens."
    found = f"no price is known for {name}"
    return Finding("price", settings.max_tokens is not None, found, fix, ConfigError.code)


def _key(model: Model, settings: Settings) -> list[Finding]:
    """Report where the key is stored; a missing key is not a failure, since some models need none."""
    from agent.cli.setting_sources import describe_key
    from agent.models.provider import Provider

    return [Finding("key", True, describe_key(settings.model, settings))] if isinstance(model, Provider) else []


def _answer(model: Model) -> Finding:
    """Send the model one small request, billed like any other."""
    from aci.observation.output_text import mask_secrets
    from aci.observation.untrusted_text import clean_text
    from agent.models.base import RequestOptions

    started = time.monotonic()
    try:
        reply = model.reply([{"role": "user", "content": QUESTION}], [], RequestOptions("doctor", 1, SMALLEST_OUTPUT))
    except SweAgentError as error:
        waited = time.monotonic() - started
        fix = f"The check waited {PATIENCE:g} s; a run waits longer." if waited >= PATIENCE else error.fix
        return Finding("answer", False, error.message, fix, error.code)
    text = " ".join(clean_text(mask_secrets(reply.text, model.secrets)).split())[:40]
    usage = reply.usage
    paid = "usage unknown"
    if usage is not None:
        paid = f"{usage.input_tokens} tokens in, {usage.output_tokens} out"
        paid += f", ${dollars(model.price.cost(usage)):.6f} paid" if model.price else ""
    return Finding("answer", True, f"{text!r} after {time.monotonic() - started:.1f} s ({paid})")
