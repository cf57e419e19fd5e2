"""The manifest of a batch: the settings that its results depend on, stored next to them.

A batch cannot be resumed with other settings. The manifest contains no API keys and no model URLs; keys, URLs and
prices do not affect results and may change.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from aci.observation.secret_masking import mask_secrets, without_url_secrets
from aci.repository.git_view import reading_environment
from agent.config.settings import Settings
from agent.conversation.model_roles import CODER, assign_roles, chosen_model, needs_model, with_fallbacks
from agent.engine.engine import known_secrets, secrets_of_services
from agent.engine.strategy_prompts import load_prompts
from agent.models.base import Model
from agent.run_state.strategy_traits import strategy_of
from agent.version import __version__
from extensions.lab.instances.append_log import write_error
from extensions.lab.instances.jobs import Instance
from tools.base import Toolbox
from trajectories.errors import RunBroken, UsageError
from trajectories.git_store.git_commands import GitFailed, git
from trajectories.journal import write_durably

MANIFEST = "manifest.json"
INSTANCES = "manifest.instances.json"
"""The file next to the manifest that maps each instance's id to a hash of everything that a solver sees of the
instance."""
LIMITS = (
    *("budget", "max_steps", "max_tokens", "max_time", "rounds", "attempts"),
    *("test_timeout", "suite_time", "setup_time", "memory", "processes", "disk", "cpus", "runtime", "read_only"),
)
ROOM = (
    *("workspace", "image", "images", "setup", "setup_env", "setup_repair", "browser", "test", "serve", "registries"),
    "update_tests",
)
"""Settings of a run's environment."""
SETTINGS = {"limits": LIMITS, "room": ROOM}
SHAPING = ("swe-agent", "strategy", "prompts", "tools", "model", "roles", "limits", "room")
"""Parts of the manifest that may not change during a batch. Instances may not change either, but more may be added."""
SHOWN = {"room": "environment", "limits": "limit"}
"""What a user reads for a part of the manifest, if that is not the part's key in the file."""


def manifest(
    settings: Settings,
    instances: Sequence[Instance],
    instance_files: Sequence[Path],
    images: Mapping[str, str],
    *,
    options: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """Return the manifest of a batch, with the hashes of its `instances`.

    `images` maps names to the digests known so far (see `add_images`); `options` are the batch's own flags, which do
    not affect a single result: slice, seed, workers and the like.

    Raises ConfigError for an unavailable model, UsageError for prompts and files that cannot be read.
    """
    strategy = strategy_of(settings)
    asked = needs_model(strategy) or settings.model
    models = with_fallbacks(settings, settings.model) if asked else []
    roles = {
        role: chosen_model(settings, name) for role, name in assign_roles(settings, strategy).items() if role != CODER
    }
    every = [*models, *roles.values()]
    hashes = {instance.id: _hash(_hashed(instance)) for instance in instances}
    return {
        "swe-agent": __version__,
        "commits": [commit] if (commit := _commit()) else [],
        "python": sys.version.split()[0],
        "strategy": strategy,
        "prompts": {name: _hash(text) for name, text in load_prompts(strategy, settings.prompts).items()},
        "tools": _hash(Toolbox().schemas()),
        "model": _model(models[0], settings) if models else None,
        "fallbacks": [_model(model, settings) for model in models[1:]],
        "roles": {role: _model(model, settings) for role, model in sorted(roles.items())},
        "prices": {model.name: asdict(model.price) if model.price else None for model in every},
        "limits": settings.model_dump(mode="json", include=set(LIMITS)),
        "room": _environment(settings, [secret for model in every for secret in model.secrets]),
        "images": {name: [digest] for name, digest in sorted(images.items())},
        "files": [{"name": path.name, "sha256": _file_hash(path)} for path in instance_files],
        "options": dict(options or {}),
        **_data(hashes),
    }


def _hashed(instance: Instance) -> dict[str, Any]:
    """Return the fields to hash; pictures only if there are any, so that batches from before this field resume."""
    fields = asdict(instance)
    return fields if instance.pictures else {name: value for name, value in fields.items() if name != "pictures"}


def check(
    out: Path,
    wanted: dict[str, Any],
    is_started: bool = True,
    used_images: Callable[[Mapping[str, str]], Collection[str]] | None = None,
) -> dict[str, Any]:
    """Write or update the manifest of the batch in `out`, and return it (without the instances, which are separate).

    Until a run of the batch `is_started`, no result depends on an earlier manifest, which is then replaced.
    `used_images` returns the entries of the setting `images` that differ from these earlier ones and that a run depends
    on; the others may change. Raises UsageError if settings that affect results have changed, RunBroken for an
    unreadable manifest, WorkspaceError if it cannot be written.
    """
    known = read_manifest(out) if is_started else None
    new = wanted["instances"]
    old = {} if known is None else _read(out / INSTANCES, {}) or {}
    if known is not None:
        known = known | {part: _defaults(names) | known[part] for part, names in SETTINGS.items()}
        compared = _with_unused(known, wanted, used_images) if used_images else known
        _refuse(out, _differing(compared, wanted, old, new))
        wanted = {
            **wanted,
            "commits": list(dict.fromkeys([*known["commits"], *wanted["commits"]])),
            "images": _images(known["images"], wanted["images"]),
            "files": [*known["files"], *(file for file in wanted["files"] if file not in known["files"])],
            **_data(old | new),
        }
    if wanted["instances"] != old:
        # Written first, because a listed instance that has not started does no harm.
        _write(out / INSTANCES, wanted["instances"])
    content = {name: value for name, value in wanted.items() if name != "instances"}
    if content != known:
        _write(out / MANIFEST, content)
    return content


def _differing(
    known: dict[str, Any], wanted: dict[str, Any], old: Mapping[str, str], new: Mapping[str, str]
) -> list[str]:
    found = [_difference(known, wanted, part) for part in SHAPING if known.get(part) != wanted[part]]
    changed = [id for id in new if id in old and old[id] != new[id]]
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        found.append(f"the data of {changed[0]}{more}")
    return found


def _with_unused(
    known: dict[str, Any], wanted: dict[str, Any], used: Callable[[Mapping[str, str]], Collection[str]]
) -> dict[str, Any]:
    """Return the known manifest with the wanted entries of `images` that no run depends on."""
    before, after = known["room"]["images"], wanted["room"]["images"]
    if before == after:
        return known
    kept = used(before)
    images = {name: image for name, image in after.items() if name not in kept}
    images |= {name: image for name, image in before.items() if name in kept}
    return known | {"room": known["room"] | {"images": images}}


def _defaults(names: Sequence[str]) -> dict[str, Any]:
    """Return the default values of settings, which hold for batches from before these settings existed."""
    return Settings.model_construct().model_dump(mode="json", include=set(names))


def _refuse(out: Path, differing: Sequence[str]) -> None:
    if differing:
        raise UsageError(
            f"The batch in {out} was started with other settings: {'; '.join(differing)}.",
            "Resume it with the same settings, or start another batch with --out.",
        )


def add_images(out: Path, images: Mapping[str, str]) -> None:
    """Add digests of pulled or built images. An image that changed during the batch has several digests."""
    known = read_manifest(out)
    if known is not None:
        merged = _images(known["images"], {name: [digest] for name, digest in images.items()})
        if merged != known["images"]:
            _write(out / MANIFEST, known | {"images": merged})


def read_manifest(out: Path) -> dict[str, Any] | None:
    """Return the manifest in `out`; None if there is none. Raises RunBroken for one that cannot be read."""
    return _read(out / MANIFEST, {"commits": list, "images": dict, "files": list, **dict.fromkeys(SETTINGS, dict)})


def _read(path: Path, kinds: Mapping[str, type]) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(found.get(name), kind) for name, kind in kinds.items()):
        raise RunBroken(f"{path} is damaged.", "Restore it from a copy, or start another batch with --out.")
    return found


def _write(path: Path, content: dict[str, Any]) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_durably(path, json.dumps(content, indent=1).encode() + b"\n")
    except OSError as error:
        raise write_error(path, error) from error


def _difference(known: dict[str, Any], wanted: dict[str, Any], part: str) -> str:
    """Describe how a part of the manifest differs: the innermost keys that differ, with both values shortened."""
    old, new, shown = known.get(part), wanted[part], SHOWN.get(part, part)
    if not isinstance(old, dict) or not isinstance(new, dict):
        return f"{shown} was {_short(old)}, now {_short(new)}"
    before, after = _flat(old), _flat(new)
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    if part == "prompts":
        return f"other prompts ({', '.join(names)})"
    return ", ".join(f"{shown} {name} was {_short(before.get(name))}, now {_short(after.get(name))}" for name in names)


def _flat(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table with the entries of the tables in it, such as `images.rust`, in place of these."""
    found: dict[str, Any] = {}
    for name, value in table.items():
        is_table = isinstance(value, dict) and "name" not in value
        found |= {f"{name}.{key}": one for key, one in value.items()} if is_table else {name: value}
    return found


def _short(value: object) -> str:
    if isinstance(value, dict) and "name" in value:
        value = value["name"]
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value)
    return (text if len(text) <= 60 else f"{text[:57]}…") or "nothing"


def _images(old: Mapping[str, list[str]], new: Mapping[str, list[str]]) -> dict[str, list[str]]:
    names = sorted({*old, *new})
    return {name: list(dict.fromkeys([*old.get(name, ()), *new.get(name, ())])) for name in names}


def _data(hashes: Mapping[str, str]) -> dict[str, Any]:
    """Return the batch's instances so far, each with a hash of everything that a solver sees of it."""
    ordered = dict(sorted(hashes.items()))
    return {"data": {"instances": len(ordered), "sha256": _hash(ordered, 64)}, "instances": ordered}


def _model(model: Model, settings: Settings) -> dict[str, Any]:
    """Return the parameters of a model that are sent with each request or that limit requests."""
    table = settings.model_table(model.name, model.name.partition("/")[2])
    return {
        "name": without_url_secrets(model.name),
        "effort": table.effort or settings.effort,
        "temperature": table.temperature,
        "max_output": model.max_output,
        "window": model.window,
        "images": model.images,
        "calls": table.calls,
    }


def _environment(settings: Settings, keys: Sequence[str]) -> dict[str, Any]:
    secrets = (*known_secrets(os.environ), *secrets_of_services(settings), *keys)
    room = settings.model_dump(mode="json", include=set(ROOM))
    room["services"] = {name: table.image for name, table in sorted(settings.services.items())}
    cleaned: dict[str, Any] = _remove_secrets(room, secrets)
    return cleaned


def _remove_secrets(value: Any, secrets: tuple[str, ...]) -> Any:
    """Return the value without API keys and URL credentials in its strings, such as the user's set-up commands."""
    if isinstance(value, dict):
        return {name: _remove_secrets(part, secrets) for name, part in value.items()}
    if isinstance(value, list):
        return [_remove_secrets(part, secrets) for part in value]
    return mask_secrets(without_url_secrets(value), secrets) if isinstance(value, str) else value


def _hash(value: object, length: int = 16) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]


def _file_hash(path: Path) -> str:
    digest = sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", "Give a file with instances.") from None
    return digest.hexdigest()


def _commit() -> str:
    """Return swe-agent's commit if it runs from a checkout, marked if files are changed; else ""."""
    checkout = Path(__file__).resolve().parents[4]
    if not (checkout / ".git").exists():
        return ""
    try:
        env = reading_environment(checkout)
        commit = git("rev-parse", "--verify", "HEAD", env=env).decode().strip()
        changed = git("status", "--porcelain", "--untracked-files=no", env=env, cwd=checkout).strip()
    except (GitFailed, UsageError):
        return ""
    return f"{commit}+changes" if changed else commit
