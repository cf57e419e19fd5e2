"""Every setting with its value and where it comes from; for keys, only where they are stored."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from aci.observation.output_text import mask_secrets
from aci.observation.secret_forms import without_userinfo
from aci.observation.untrusted_text import clean_text
from agent.config.session_preferences import TABLE, load_preferences
from agent.config.settings import ModelTable, Settings, load_settings, origins, read_toml
from agent.config.user_file import user_file
from trajectories.errors import ConfigError

DEFAULT = "default"


def setting_values(of_repository: bytes = b"") -> dict[str, Any]:
    """Return the object that `config show --json` prints. Raises ConfigError for invalid settings."""
    settings, where = load_settings(of_repository), origins(of_repository)
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
    """Remove user names and passwords from URLs, and mask text that looks like a key."""
    return without_userinfo(mask_secrets(value, ())) if isinstance(value, str) else value


def table_rows(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return the setting values as rows of name, value and origin, each escaped for rich markup."""
    from rich.markup import escape

    rows = [(name, _shown(entry["value"]), entry["from"]) for name, entry in found["settings"].items()]
    rows += [(f"{TABLE}.{name}", _shown(entry["value"]), entry["from"]) for name, entry in found["session"].items()]
    for name, table in found["models"].items():
        rows += [(f"models.{name}.{field}", _shown(value), table["from"]) for field, value in table["values"].items()]
        rows.append((f"key of {name}", "-", table["key"]))
    return [tuple(escape(clean_text(part)) for part in row) for row in rows]  # type: ignore[misc]


def _shown(value: Any) -> str:
    if value is None or value == "":
        return "-"
    return str(value).lower() if isinstance(value, bool) else str(value)
