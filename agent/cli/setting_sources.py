"""Every setting, its value, and where it comes from; of keys only where they lie."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from aci.view import clean, mask
from agent.keys import without_userinfo
from agent.session.preferences import TABLE, load_preferences
from agent.settings import ModelTable, Settings, load_settings, origins, read_toml, user_file
from trajectories.errors import ConfigError

DEFAULT = "default"


def values(of_repository: bytes = b"") -> dict[str, Any]:
    """What `config show --json` prints. Raises ConfigError for settings that cannot be used."""
    settings, where = load_settings(of_repository), origins(of_repository)
    told = {name: _without_keys(value) for name, value in settings.model_dump(mode="json", exclude={"models"}).items()}
    return {
        "path": str(user_file()),
        "settings": {name: {"value": told[name], "from": where.get(name, DEFAULT)} for name in told},
        "models": {name: _table(name, settings, where) for name in _models(settings)},
        "session": _preferences(),
    }


def _preferences() -> dict[str, Any]:
    """How a session looks; what is there of it is the user's."""
    found, own = load_preferences(), read_toml(user_file()).get(TABLE, {})
    return {
        name: {"value": value, "from": str(user_file()) if name in own else DEFAULT}
        for name, value in asdict(found).items()
    }


def _models(settings: Settings) -> list[str]:
    """Those with a table, and those that are used."""
    return list(dict.fromkeys([*settings.models, *filter(_has_key, [settings.model, *settings.roles.values()])]))


def _has_key(model: str) -> bool:
    return bool(model) and model.partition(":")[0] not in ("scripted", "replay")


def _table(name: str, settings: Settings, where: dict[str, str]) -> dict[str, Any]:
    table = settings.models.get(name, ModelTable())
    return {
        "values": {field: _without_keys(value) for field, value in table.model_dump(exclude_unset=True).items()},
        "from": where.get("models", DEFAULT) if name in settings.models else DEFAULT,
        "key": key_of(name, settings),
    }


def key_of(model: str, settings: Settings) -> str:
    """Where the key lies that a run with this model would send, in words."""
    from agent.models.provider import find

    if not _has_key(model):
        return "none is needed"
    try:
        return find(model, settings).key.where
    except ConfigError as error:
        return error.message


def _without_keys(value: Any) -> Any:
    """What a URL carries before its host, and what looks like a key, is not shown."""
    return without_userinfo(mask(value, ())) if isinstance(value, str) else value


def table_rows(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    """The same as lines of name, value and origin, each safe to print as rich markup."""
    from rich.markup import escape

    rows = [(name, _shown(entry["value"]), entry["from"]) for name, entry in found["settings"].items()]
    rows += [(f"{TABLE}.{name}", _shown(entry["value"]), entry["from"]) for name, entry in found["session"].items()]
    for name, table in found["models"].items():
        rows += [(f"models.{name}.{field}", _shown(value), table["from"]) for field, value in table["values"].items()]
        rows.append((f"key of {name}", "-", table["key"]))
    return [tuple(escape(clean(part)) for part in row) for row in rows]  # type: ignore[misc]


def _shown(value: Any) -> str:
    if value is None or value == "":
        return "-"
    return str(value).lower() if isinstance(value, bool) else str(value)
