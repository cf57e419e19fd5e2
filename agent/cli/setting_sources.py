"""Every setting with its value and where it comes from; for keys, only where they are stored."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from aci.observation.secret_masking import change_texts, mask_secrets, without_url_secrets
from agent.config.model_table import ModelTable
from agent.config.session_preferences import TABLE, load_preferences
from agent.config.setting_descriptions import SECTIONS
from agent.config.settings import Settings, load_settings, origins, read_toml
from agent.config.user_config import parse_name
from agent.config.user_file import user_file
from agent.config.workspace_choice import choose_workspace
from trajectories.errors import ConfigError, UsageError

DEFAULT = "default"
WITHOUT_DOCKER = "this machine, where Docker does not answer"
"""The source of the workspace that is chosen without Docker."""


def setting_values(of_repository: bytes = b"") -> dict[str, Any]:
    """Return the object that `config show --json` prints. Raises ConfigError for invalid settings."""
    named, where = load_settings(of_repository), origins(of_repository)
    settings = choose_workspace(named, lambda text: None)
    if settings.workspace != named.workspace:
        where = {**where, "workspace": WITHOUT_DOCKER}
    visible = {
        name: _without_keys(value) for name, value in settings.model_dump(mode="json", exclude={"models"}).items()
    }
    return {
        "path": str(user_file()),
        "settings": {name: {"value": visible[name], "from": where.get(name, DEFAULT)} for name in visible},
        "models": {name: _table(name, settings, where) for name in _models(settings)},
        "session": _preferences(),
    }


def _preferences() -> dict[str, Any]:
    """Return the session's preferences; only the user's config file sets them."""
    found, own = load_preferences(), read_toml(user_file()).get(TABLE, {})
    return {
        name: {"value": value, "from": str(user_file()) if name in own else DEFAULT}
        for name, value in asdict(found).items()
    }


def _models(settings: Settings) -> list[str]:
    """Return the models that have a table or are in use."""
    return list(dict.fromkeys([*settings.models, *filter(_has_key, [settings.model, *settings.roles.values()])]))


def _has_key(model: str) -> bool:
    return bool(model) and model.partition(":")[0] not in ("scripted", "replay")


def _table(name: str, settings: Settings, where: dict[str, str]) -> dict[str, Any]:
    table = settings.models.get(name, ModelTable())
    return {
        "values": {field: _without_keys(value) for field, value in table.model_dump(exclude_unset=True).items()},
        "from": where.get("models", DEFAULT) if name in settings.models else DEFAULT,
        "key": describe_key(name, settings),
    }


def describe_key(model: str, settings: Settings) -> str:
    """Describe the location of the key that a run with this model would use."""
    from agent.models.provider import find

    if not _has_key(model):
        return "not needed"
    try:
        return find(model, settings).key.where
    except ConfigError as error:
        return error.message


def _without_keys(value: Any) -> Any:
    """Remove user names, passwords and keys from URLs, and mask text that looks like a key, also in tables."""
    return change_texts(value, lambda text: without_url_secrets(mask_secrets(text, ())))


def value_of(name: str, found: dict[str, Any]) -> Any:
    """Return the value of a setting, or of an entry of one, from the object that `setting_values` returns.

    Raises UsageError if there is no such setting, or if the entry is not set.
    """
    value: Any = {setting: entry["value"] for setting, entry in found["settings"].items()}
    value["models"] = {model: table["values"] for model, table in found["models"].items()}
    value[TABLE] = {preference: entry["value"] for preference, entry in found["session"].items()}
    for part in parse_name(name).path:
        if not isinstance(value, dict) or part not in value:
            raise UsageError(f"{name} is not set.", "`swe-agent config` shows every setting.")
        value = value[part]
    return value


def sections_of(found: dict[str, Any]) -> dict[str, list[tuple[str, str, str]]]:
    """Return the sections of `swe-agent config`: each setting with its value and its description, which includes where
    the value comes from, unless it is the default."""
    entries = found["settings"] | {f"{TABLE}.{name}": entry for name, entry in found["session"].items()}
    described = {name for section in SECTIONS.values() for name in section}
    others = {"Other": {name: "" for name in entries if name not in described}}
    sections = {
        title: [_row(name, entries[name]["value"], text, entries[name]["from"]) for name, text in section.items()]
        for title, section in (SECTIONS | others).items()
    }
    for name, table in found["models"].items():
        fields = [_row(f"models.{name}.{field}", value, "", table["from"]) for field, value in table["values"].items()]
        sections[f"Model {name}"] = [*fields, ("key", "-", table["key"])]
    return {title: rows for title, rows in sections.items() if rows}


def _row(name: str, value: Any, text: str, origin: str) -> tuple[str, str, str]:
    return name, show_value(value) or "-", text if origin == DEFAULT else f"{text} From {origin}.".strip()


def show_value(value: Any) -> str:
    """Return a value in one line; "" if it is not set."""
    if isinstance(value, dict):
        return ", ".join(f"{name}: {show_value(entry)}" for name, entry in value.items() if entry)
    if isinstance(value, list | tuple):
        return ", ".join(map(show_value, value))
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(value).removesuffix(".0")
    return "" if value is None else str(value)
