"""The checks of `doctor`. Each reports what it found and, if something is wrong, how to fix it."""

from __future__ import annotations

import os
import platform
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli.health_finding import Finding, Notify
from agent.config.settings import Settings
from agent.config.workspace_choice import choose_workspace
from agent.limits.run_budget import SMALLEST_OUTPUT, UNPRICED_TOKENS, dollars
from agent.run_state.progress_event import ProgressEvent
from extensions.housekeeping.workspace_checks import check_workspace
from trajectories.errors import ConfigError, SweAgentError, WorkspaceError
from trajectories.git_store.git_commands import git_version

if TYPE_CHECKING:
    from aci.repository.user_repository import Repository
    from agent.models.base import Model
    from extensions.housekeeping.leftover_cleanup import CleanupResult

QUESTION = "Answer with the one word: yes"
PATIENCE = 30.0
"""Seconds without an answer after which the check of a model fails."""
LEAST_GIT = (2, 36)
LEAST_DISK = 2.0
"""Minimum free disk space in GiB, for a base image layer, a tree store and tests."""


def run_health_checks(
    settings: Settings,
    source: Repository | None = None,
    ask: bool = False,
    collect: bool = False,
    notify: Notify = lambda event: None,
) -> Iterator[Finding]:
    """Check everything that a run needs, in the order in which the run uses it.

    The environment is that of the repository `source`. If `ask` is true, the model is sent a request, which is billed;
    `collect` is explained at `check_workspace`. `notify` is called with checks that take a while.
    """
    settings = choose_workspace(settings, lambda text: None)
    yield from (_system(), _git(), _state(settings.state))
    yield from check_workspace(settings, source, collect, notify)
    yield from _model(settings, ask, notify)


def clean_up() -> tuple[list[CleanupResult], str]:
    """Remove leftovers; return what was removed, and the reason if Docker could not be cleaned."""
    from platformdirs import user_cache_path

    from aci.docker.docker_daemon import connect
    from extensions.housekeeping.leftover_cleanup import clean_daemon, clean_folders

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
    output = git_version()
    if not output:
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


def _model(settings: Settings, ask: bool, notify: Notify) -> Iterator[Finding]:
    from agent.models.base import load_model

    if not settings.model:
        none = "no model is configured; `fix` uses the strategy `templates`, which needs none"
        yield Finding("model", not ask, none, "Name one with --model.", ConfigError.code)
        return
    try:
        limits = {name: min(PATIENCE, getattr(settings, name)) for name in ("first_timeout", "model_timeout")}
        model = load_model(settings.model, settings.model_copy(update=limits))
    except SweAgentError as error:
        yield Finding("model", False, error.message, error.fix, error.code)
        return
    window = f"{model.window:,} tokens of context" if model.window else "context window unknown"
    yield Finding("model", True, f"{model.name}: {window}, replies up to {model.max_output:,} tokens")
    yield _price(model, settings)
    yield from _key(model, settings)
    if ask:
        notify(ProgressEvent("action", "main", f"waiting for an answer of {model.name}"))
        yield _answer(model)


def _price(model: Model, settings: Settings) -> Finding:
    from agent.models.provider import own_server

    price, name = model.price, settings.model
    if price is not None:
        cached = "" if price.cached is None else f", ${price.cached:g} cached"
        source = "your config" if price.own else "the bundled price map"
        return Finding(
            "price", True, f"${price.input:g} in, ${price.output:g} out{cached} per million tokens, by {source}"
        )
    fix = f"`swe-agent config set models.{name}.price_in DOLLARS`, the same for price_out; or give --max-tokens."
    found = f"no price is known for {name}"
    if settings.max_tokens is None and own_server(model.name, settings):
        found = f"{found}, so a run may use {UNPRICED_TOKENS:,} tokens; --max-tokens or a price changes that"
        return Finding("price", True, found)
    return Finding("price", settings.max_tokens is not None, found, fix, ConfigError.code)


def _key(model: Model, settings: Settings) -> list[Finding]:
    """Report where the key is stored; a missing key is not a failure, since some models need none."""
    from agent.cli.setting_sources import describe_key
    from agent.models.provider import Provider

    return [Finding("key", True, describe_key(settings.model, settings))] if isinstance(model, Provider) else []


def _answer(model: Model) -> Finding:
    """Send the model one small request, billed like any other."""
    from aci.observation.secret_masking import mask_secrets
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
