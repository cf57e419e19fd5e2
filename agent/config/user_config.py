"""Edits of the user's config file: each changes one validated value and keeps comments and order.

A setting is addressed by its name in the file, such as `budget`. A model's field is addressed as `models.MODEL.FIELD`;
a field has no dot, so MODEL may have dots without quotes: `models.openai/gpt-4.1.price_in`. A service's field is
addressed as `services.NAME.FIELD` or `services.NAME.env.VARIABLE`. An entry of any other table is addressed by the
table and the entry's name, such as `images.python3.9` or `session.theme`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_origin

from agent.config.close_names import did_you_mean
from agent.config.hook_table import HookTable
from agent.config.model_table import ModelTable
from agent.config.session_preferences import NAMES as PREFERENCES
from agent.config.session_preferences import TABLE, parse_preference
from agent.config.settings import ServiceTable, Settings, read_toml, secret_reason
from agent.config.user_file import user_file, write_user_file
from agent.config.validation_reason import validation_reason
from agent.permissions.permission_table import PermissionTable
from trajectories.errors import ConfigError, UsageError
from trajectories.file_limits import read_config

if TYPE_CHECKING:
    from pydantic import BaseModel

LISTED = "`swe-agent config show` lists them."
BY_HAND = "Change it by hand; nothing was written."
PLAIN = ("images", "roles", "setup_env")
"""Settings that are tables of strings, with entries such as `images.python3.9` and `roles.reviewer`."""

TABLES = ("env", "variables")
"""Fields of a service that are tables of variables."""


@dataclass(frozen=True, slots=True)
class Name:
    """The name of a setting, or of a `field` of a model or service; without a field, the name of the whole table.

    `entry` names an entry of a field that is a table.
    """

    setting: str
    model: str = ""
    field: str = ""
    entry: str = ""

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(part for part in (self.setting, self.model, self.field, self.entry) if part)


def parse_name(written: str) -> Name:
    """Parse the name of a setting as the user writes it. Raises UsageError if there is no such setting."""
    first, dot, rest = written.strip().partition(".")
    if dot and first == "services":
        return _service_name(written, rest)
    if first in PLAIN:
        return Name(first, entry=rest.strip("\"'"))
    if first == TABLE:
        if rest not in PREFERENCES:
            raise _unknown_name(written, f"{TABLE} has {', '.join(PREFERENCES)}.")
        return Name(TABLE, entry=rest)
    if not dot or first != "models":
        if written not in Settings.model_fields:
            raise _unknown_name(written, LISTED)
        return Name(written)
    model, dot, field = rest.rpartition(".")
    if not dot or field not in ModelTable.model_fields:
        model, field = rest, ""
    model = model.strip("\"'")
    if not model:
        raise UsageError(
            f"{written!r} names no model.", "Write models.MODEL.FIELD, as in models.openai/gpt-4.1.effort."
        )
    return Name("models", model, field)


def _service_name(written: str, rest: str) -> Name:
    name, _, inner = rest.partition(".")
    field, dot, entry = inner.partition(".")
    known = not field or field in ServiceTable.model_fields
    if not name or not known or bool(dot) != (field in TABLES) or (dot and not entry):
        fields = ", ".join(f"{each}.VARIABLE" if each in TABLES else each for each in ServiceTable.model_fields)
        raise _unknown_name(written, f"A service, services.NAME, has {fields}.")
    return Name("services", name, field, entry)


def _unknown_name(written: str, known: str) -> UsageError:
    """Return the error for the name of a setting that does not exist; `known` says where to find those that do."""
    names = [*Settings.model_fields, *(f"{TABLE}.{name}" for name in PREFERENCES)]
    question = did_you_mean(written.strip(), names)
    return UsageError(f"There is no setting named {written!r}. {question}".strip(), known)


def change(written: str, value: str) -> Any:
    """Set a value in the user's file; return it as stored. Raises UsageError, without changing the file, if the name or
    the value is invalid."""
    name = parse_name(written)
    _check_is_value(name, written)
    checked = _validate(name, written, value)
    _edit(name.path, checked)
    return checked


def _check_is_value(name: Name, written: str) -> None:
    """Raise UsageError if the name refers to a whole table, or to a field of a service whose image is not set."""
    tables: dict[str, type[BaseModel]] = {"models": ModelTable, "services": ServiceTable}
    if name.setting in tables and not name.field:
        fields = ", ".join(tables[name.setting].model_fields)
        last = name.model.rpartition(".")[2]
        if last != name.model and last.isidentifier():
            question = did_you_mean(last, tables[name.setting].model_fields)
            raise UsageError(f"A model's table has no field {last!r}. {question}".strip(), f"It has {fields}.")
        raise UsageError(f"{written} is a table, not a value.", f"Set one of its fields: {fields}.")
    if name.setting in PLAIN and not name.entry:
        raise UsageError(f"{written} is a table, not a value.", f"Set an entry of it: {written}.NAME.")
    image = (*name.path[:2], "image")
    if name.setting == "services" and name.path != image and not _value_at(read_toml(user_file()), image):
        raise UsageError(f"The service {name.model} has no image.", f"Set {'.'.join(image)} first.")


def remove(written: str) -> None:
    """Remove a value, or a model's whole table, from the user's file. Raises UsageError if it is not set."""
    path = parse_name(written).path
    if _value_at(read_toml(user_file()), path) is None:
        raise UsageError(f"{written} is not set in {user_file()}.", LISTED)
    _edit(path, None)


def _validate(name: Name, written: str, value: str) -> Any:
    """Validate the value as the settings do, and return it as a TOML type. Raises UsageError."""
    from pydantic import ConfigDict, TypeAdapter, ValidationError

    if name.setting == TABLE:
        return parse_preference(name.entry, value)
    if name.setting == "setup_env" and (why := secret_reason(name.entry, value)):
        raise UsageError(f"{why}.", "Nothing was written.")
    if name.entry:
        return value
    tables: dict[str, type[BaseModel]] = {"models": ModelTable, "services": ServiceTable}
    model = tables[name.setting] if name.field else Settings
    field = model.model_fields[name.field or name.setting]
    if field.annotation in (HookTable, PermissionTable):
        raise UsageError(f"{written} is a table, which this command cannot set.", BY_HAND)
    kind: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    adapter: TypeAdapter[Any] = TypeAdapter(kind, config=ConfigDict(allow_inf_nan=False))
    is_list = get_origin(field.annotation) is tuple
    try:
        taken = adapter.validate_python([one.strip() for one in value.split(",")] if is_list else value)
    except ValidationError as error:
        why = validation_reason(error)
        raise UsageError(f"Invalid value {value!r} for {written}: {why}.", "Nothing was written.") from None
    if is_list:
        return list(taken)
    return str(taken.expanduser().absolute()) if isinstance(taken, Path) else taken


def _edit(path: tuple[str, ...], value: Any) -> None:
    """Set the value at `path`, or remove it if `value` is None. Raises ConfigError if anything else in the file would
    change."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    file = user_file()
    expected = read_toml(file)
    _set_value(expected, path, value)
    try:
        document = tomlkit.parse(read_config(file).decode() if file.exists() else "")
        _set_value(document, path, value, lambda last: tomlkit.table(is_super_table=not last))
        text = tomlkit.dumps(document)
        same = _without_empty(tomllib.loads(text)) == _without_empty(expected)
    except (TOMLKitError, ValueError, OSError) as error:
        raise ConfigError(f"{file} cannot be edited by this command: {error}.", BY_HAND) from None
    if not same:
        raise ConfigError(f"{file} has a layout that this command cannot edit.", BY_HAND)
    write_user_file(file, text)


def _without_empty(table: Any) -> Any:
    """Return a table without empty subtables, since tomlkit may remove a subtable's heading together with its last
    entry."""
    if not isinstance(table, dict):
        return table
    kept = {name: _without_empty(value) for name, value in table.items()}
    return {name: value for name, value in kept.items() if value != {}}


def _set_value(table: Any, path: tuple[str, ...], value: Any, new: Any = lambda last: {}) -> None:
    *parents, name = path
    for depth, parent in enumerate(parents, 1):
        if parent not in table:
            table[parent] = new(depth == len(parents))
        table = table[parent]
    if value is None:
        del table[name]
    else:
        table[name] = value


def _value_at(table: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        table = table.get(name) if isinstance(table, dict) else None
    return table
