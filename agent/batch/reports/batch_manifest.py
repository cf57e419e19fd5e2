"""What a batch was run with, beside its results: whoever reads the figures can tell what they are of, and a batch that
is started again with something else is refused.

No key is in it, and no address: where a model is reached, and what it costs, shapes no answer, and may change.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from aci.view import mask
from agent.batch.appended import no_room
from agent.batch.place import Instance
from agent.casting import CODER, cast, chosen_model, needs_model, with_fallbacks
from agent.engine import known_secrets, secrets_of_services
from agent.keys import without_userinfo
from agent.models.base import Model
from agent.settings import Settings
from agent.solve import VERSION, prompts_of
from tools.base import Toolbox
from trajectories.errors import RunBroken, UsageError
from trajectories.journal import write_durably
from trajectories.plumbing import QUIET, GitFailed, environment, git

MANIFEST = "manifest.json"
INSTANCES = "manifest.instances.json"
"""Beside it: a hash of what a solver is told of each instance, by id."""
LIMITS = (
    *("budget", "max_steps", "max_tokens", "max_time", "rounds", "attempts"),
    *("test_timeout", "suite_time", "setup_time", "memory", "processes", "disk", "cpus", "runtime", "read_only"),
)
ROOM = ("workspace", "image", "images", "setup", "setup_env", "test", "registries", "update_tests")
"""Settings that shape what a run finds around it."""
SHAPING = ("swe-agent", "strategy", "prompts", "tools", "model", "roles", "limits", "room")
"""What may not change while a batch lasts. Instances may not change either, but there may be more of them."""


def manifest(
    settings: Settings,
    instances: Sequence[Instance],
    instance_files: Sequence[Path],
    images: Mapping[str, str],
    *,
    options: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """What a batch is to be run with, and the hashes of its `instances`.

    `images` maps names to digests, as far as they are known now (`add_images`); `options` are the batch's own flags,
    which shape no single result: slice, seed, workers and the like.

    Raises ConfigError for a model that cannot be had, UsageError for prompts and files that cannot be read.
    """
    strategy = settings.strategy or ("test-then-patch" if settings.model else "templates")
    asked = needs_model(strategy) or settings.model
    models = with_fallbacks(settings, settings.model) if asked else []
    roles = {role: chosen_model(settings, name) for role, name in cast(settings, strategy).items() if role != CODER}
    every = [*models, *roles.values()]
    hashes = {instance.id: _hash(asdict(instance)) for instance in instances}
    return {
        "swe-agent": VERSION,
        "commits": [commit] if (commit := _commit()) else [],
        "python": sys.version.split()[0],
        "strategy": strategy,
        "prompts": {name: _hash(text) for name, text in prompts_of(strategy, settings.prompts).items()},
        "tools": _hash(Toolbox().schemas()),
        "model": _model(models[0], settings) if models else None,
        "fallbacks": [_model(model, settings) for model in models[1:]],
        "roles": {role: _model(model, settings) for role, model in sorted(roles.items())},
        "prices": {model.name: asdict(model.price) if model.price else None for model in every},
        "limits": settings.model_dump(mode="json", include=set(LIMITS)),
        "room": _room(settings, [secret for model in every for secret in model.secrets]),
        "images": {name: [digest] for name, digest in sorted(images.items())},
        "files": [{"name": path.name, "sha256": _file_hash(path)} for path in instance_files],
        "options": dict(options or {}),
        **_data(hashes),
    }


def check(out: Path, wanted: dict[str, Any]) -> dict[str, Any]:
    """Write the manifest of the batch in `out`, or bring the one that is there up to date, and return it (without the
    instances, which lie beside it).

    Raises UsageError where what shapes results is not what it was, RunBroken for a manifest that cannot be read,
    WorkspaceError where it cannot be written.
    """
    known = read_manifest(out)
    new = wanted["instances"]
    old = {} if known is None else _read(out / INSTANCES, {}) or {}
    if known is not None:
        _refuse(out, _differing(known, wanted, old, new))
        wanted = {
            **wanted,
            "commits": list(dict.fromkeys([*known["commits"], *wanted["commits"]])),
            "images": _images(known["images"], wanted["images"]),
            "files": [*known["files"], *(file for file in wanted["files"] if file not in known["files"])],
            **_data(old | new),
        }
    if wanted["instances"] != old:
        _write(out / INSTANCES, wanted["instances"])  # first: one that is named there and not yet begun does no harm
    content = {name: value for name, value in wanted.items() if name != "instances"}
    if content != known:
        _write(out / MANIFEST, content)
    return content


def _differing(
    known: dict[str, Any], wanted: dict[str, Any], old: Mapping[str, str], new: Mapping[str, str]
) -> list[str]:
    found = [_told(known, wanted, part) for part in SHAPING if known.get(part) != wanted[part]]
    changed = [id for id in new if id in old and old[id] != new[id]]
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        found.append(f"the data of {changed[0]}{more}")
    return found


def _refuse(out: Path, differing: Sequence[str]) -> None:
    if differing:
        raise UsageError(
            f"The batch in {out} was begun with other settings: {'; '.join(differing)}.",
            "Go on with what it was begun with, or begin another with --out.",
        )


def add_images(out: Path, images: Mapping[str, str]) -> None:
    """Note digests of images that were pulled or built since. An image that changed while the batch ran has several."""
    known = read_manifest(out)
    if known is not None:
        merged = _images(known["images"], {name: [digest] for name, digest in images.items()})
        if merged != known["images"]:
            _write(out / MANIFEST, known | {"images": merged})


def read_manifest(out: Path) -> dict[str, Any] | None:
    """The manifest in `out`; none where no batch was begun. Raises RunBroken for one that cannot be read."""
    return _read(out / MANIFEST, {"commits": list, "images": dict, "files": list})


def _read(path: Path, kinds: Mapping[str, type]) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict) or not all(isinstance(found.get(name), kind) for name, kind in kinds.items()):
        raise RunBroken(f"{path} is damaged.", "Restore it from a copy, or begin another batch with --out.")
    return found


def _write(path: Path, content: dict[str, Any]) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_durably(path, json.dumps(content, indent=1).encode() + b"\n")
    except OSError as error:
        raise no_room(path, error) from error


def _told(known: dict[str, Any], wanted: dict[str, Any], part: str) -> str:
    """How a part differs: the innermost names, with both values where they are short."""
    old, new = known.get(part), wanted[part]
    if not isinstance(old, dict) or not isinstance(new, dict):
        return f"{part} was {_short(old)}, now {_short(new)}"
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    if part == "prompts":
        return f"other prompts ({', '.join(names)})"
    return ", ".join(f"{part} {name} was {_short(old.get(name))}, now {_short(new.get(name))}" for name in names)


def _short(value: object) -> str:
    if isinstance(value, dict) and "name" in value:
        value = value["name"]
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value)
    return (text if len(text) <= 60 else f"{text[:57]}…") or "nothing"


def _images(old: Mapping[str, list[str]], new: Mapping[str, list[str]]) -> dict[str, list[str]]:
    names = sorted({*old, *new})
    return {name: list(dict.fromkeys([*old.get(name, ()), *new.get(name, ())])) for name in names}


def _data(hashes: Mapping[str, str]) -> dict[str, Any]:
    """The instances that the batch has been asked for so far, each with a hash of all that a solver is told of it."""
    ordered = dict(sorted(hashes.items()))
    return {"data": {"instances": len(ordered), "sha256": _hash(ordered, 64)}, "instances": ordered}


def _model(model: Model, settings: Settings) -> dict[str, Any]:
    """What is sent with each request, or bounds it."""
    table = settings.model_table(model.name, model.name.partition("/")[2])
    return {
        "name": without_userinfo(model.name),
        "effort": table.effort or settings.effort,
        "temperature": table.temperature,
        "max_output": model.max_output,
        "window": model.window,
        "images": model.images,
        "calls": table.calls,
    }


def _room(settings: Settings, keys: Sequence[str]) -> dict[str, Any]:
    secrets = (*known_secrets(os.environ), *secrets_of_services(settings), *keys)
    room = settings.model_dump(mode="json", include=set(ROOM))
    room["services"] = {name: table.image for name, table in sorted(settings.services.items())}
    cleaned: dict[str, Any] = _without(room, secrets)
    return cleaned


def _without(value: Any, secrets: tuple[str, ...]) -> Any:
    """Set-up commands are a user's own words: whatever is a key in them, or stands before a host, goes."""
    if isinstance(value, dict):
        return {name: _without(part, secrets) for name, part in value.items()}
    if isinstance(value, list):
        return [_without(part, secrets) for part in value]
    return mask(without_userinfo(value), secrets) if isinstance(value, str) else value


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
        raise UsageError(f"{path} cannot be read: {error.strerror}.", "Name a file with instances.") from None
    return digest.hexdigest()


def _commit() -> str:
    """The commit of a checkout of ours that this runs from, marked where files differ from it; else nothing."""
    house = Path(__file__).resolve().parents[2]
    if not (house / ".git").exists():
        return ""
    env = environment(QUIET)
    try:
        commit = git("-C", str(house), "rev-parse", "--verify", "HEAD", env=env).decode().strip()
        changed = git("-C", str(house), "status", "--porcelain", "--untracked-files=no", env=env).strip()
    except GitFailed:
        return ""
    return f"{commit}+changes" if changed else commit
