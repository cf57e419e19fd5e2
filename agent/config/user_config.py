"""Changing the user's config file: one value at a time, checked first, comments and order kept.

A setting is named as in the file: `budget`. A model's is `models.MODEL.FIELD`; a field has no dot, so MODEL may have
some and needs no quotes: `models.openai/gpt-4.1.price_in`. A service's is `services.NAME.FIELD`, or with the name of a
variable behind it `services.NAME.env.VARIABLE`. Plain tables have entries: `images.python3.9`, `session.theme`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_origin

from agent.session.preferences import NAMES as PREFERENCES
from agent.session.preferences import TABLE, parsed
from agent.settings import ModelTable, ServiceTable, Settings, read_toml, secret_in, user_file
from trajectories.errors import ConfigError, UsageError
from trajectories.limits import read_config

if TYPE_CHECKING:
    from pydantic import BaseModel

LISTED = "`swe-agent config show` lists them."
BY_HAND = "Change it by hand; nothing was written."
PLAIN = ("images", "setup_env")
"""Settings that are tables of texts: `images.python3.9`."""

TABLES = ("env", "variables")
"""Fields of a service that are tables of variables."""


@dataclass(frozen=True, slots=True)
class Name:
    """A setting, or the `field` of a model or service; without one, its whole table. `entry` is of a table in it."""

    setting: str
    model: str = ""
    field: str = ""
    entry: str = ""

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(part for part in (self.setting, self.model, self.field, self.entry) if part)


def name_of(written: str) -> Name:
    """The setting that the user means. Raises UsageError where there is none of that name."""
    first, dot, rest = written.strip().partition(".")
    if dot and first == "services":
        return _of_service(written, rest)
    if first in PLAIN:
        return Name(first, entry=rest.strip("\"'"))
    if first == TABLE:
        if rest not in PREFERENCES:
            raise UsageError(f"There is no setting named {written!r}.", f"{TABLE} has {', '.join(PREFERENCES)}.")
        return Name(TABLE, entry=rest)
    if not dot or first != "models":
        if written not in Settings.model_fields:
            raise UsageError(f"There is no setting named {written!r}.", LISTED)
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


def _of_service(written: str, rest: str) -> Name:
    name, _, inner = rest.partition(".")
    field, dot, entry = inner.partition(".")
    known = not field or field in ServiceTable.model_fields
    if not name or not known or bool(dot) != (field in TABLES) or (dot and not entry):
        fields = ", ".join(f"{each}.VARIABLE" if each in TABLES else each for each in ServiceTable.model_fields)
        raise UsageError(f"There is no setting named {written!r}.", f"A service, services.NAME, has {fields}.")
    return Name("services", name, field, entry)


def change(written: str, value: str) -> Any:
    """Set a value in the user's file; returns it as it stands there. Raises UsageError, with the file untouched."""
    name = name_of(written)
    _check_is_value(name, written)
    checked = _checked(name, written, value)
    _edit(name.path, checked)
    return checked


def _check_is_value(name: Name, written: str) -> None:
    """Raises UsageError for a table, and for a service of which nobody knows the image yet."""
    tables: dict[str, type[BaseModel]] = {"models": ModelTable, "services": ServiceTable}
    if name.setting in tables and not name.field:
        fields = ", ".join(tables[name.setting].model_fields)
        last = name.model.rpartition(".")[2]
        if last != name.model and last.isidentifier():
            raise UsageError(f"A model's table has no field {last!r}.", f"It has {fields}.")
        raise UsageError(f"{written} is a table, not a value.", f"Set one of its fields: {fields}.")
    if name.setting in PLAIN and not name.entry:
        raise UsageError(f"{written} is a table, not a value.", f"Set an entry of it: {written}.NAME.")
    image = (*name.path[:2], "image")
    if name.setting == "services" and name.path != image and not _at(read_toml(user_file()), image):
        raise UsageError(f"The service {name.model} has no image.", f"Set {'.'.join(image)} first.")


def remove(written: str) -> None:
    """Take a value, or a model's whole table, out of the user's file. Raises UsageError when it is not there."""
    path = name_of(written).path
    if _at(read_toml(user_file()), path) is None:
        raise UsageError(f"{written} is not set in {user_file()}.", LISTED)
    _edit(path, None)


def write(target: Path, text: str) -> None:
    """Put a file of the user's in place, whole or not at all; a link to it stays one. Raises ConfigError.

    A new file is for its owner only.
    """
    from trajectories.journal import write_durably

    target = target.resolve()
    if target.exists() and not target.is_file():
        raise ConfigError(f"{target} is no file.", "Name one by SWE_AGENT_CONFIG.")
    try:
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o600
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_durably(target, text.encode())
        target.chmod(mode)
    except OSError as error:
        raise ConfigError(f"{target} cannot be written: {error.strerror}.", "Make it writable for you.") from None


def _checked(name: Name, written: str, value: str) -> Any:
    """The value as the settings' own model takes it, in a type that TOML has. Raises UsageError."""
    from pydantic import ConfigDict, TypeAdapter, ValidationError

    if name.setting == TABLE:
        return parsed(name.entry, value)
    if name.setting == "setup_env" and (why := secret_in(name.entry, value)):
        raise UsageError(f"{why}.", "Nothing was written.")
    if name.entry:
        return value
    tables: dict[str, type[BaseModel]] = {"models": ModelTable, "services": ServiceTable}
    model = tables[name.setting] if name.field else Settings
    field = model.model_fields[name.field or name.setting]
    kind: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    adapter: TypeAdapter[Any] = TypeAdapter(kind, config=ConfigDict(allow_inf_nan=False))
    several = get_origin(field.annotation) is tuple
    try:
        taken = adapter.validate_python([one.strip() for one in value.split(",")] if several else value)
    except ValidationError as error:
        said = error.errors()[0]["msg"]
        raise UsageError(f"{written} cannot be {value!r}: {said}.", "Nothing was written.") from None
    if several:
        return list(taken)
    return str(taken.expanduser().absolute()) if isinstance(taken, Path) else taken


def _edit(path: tuple[str, ...], value: Any) -> None:
    """Set or (None) remove what is at `path`. What comes out must be the file as it was but for that."""
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    file = user_file()
    meant = read_toml(file)
    _put(meant, path, value)
    try:
        document = tomlkit.parse(read_config(file).decode() if file.exists() else "")
        _put(document, path, value, lambda last: tomlkit.table(is_super_table=not last))
        text = tomlkit.dumps(document)
        same = _without_empty(tomllib.loads(text)) == _without_empty(meant)
    except (TOMLKitError, ValueError, OSError) as error:
        raise ConfigError(f"{file} cannot be changed by this command: {error}.", BY_HAND) from None
    if not same:
        raise ConfigError(f"{file} is written in a way that this command cannot change.", BY_HAND)
    write(file, text)


def _without_empty(table: Any) -> Any:
    """A table without tables that hold nothing: their heading may go with the last that was in them."""
    if not isinstance(table, dict):
        return table
    kept = {name: _without_empty(value) for name, value in table.items()}
    return {name: value for name, value in kept.items() if value != {}}


def _put(table: Any, path: tuple[str, ...], value: Any, new: Any = lambda last: {}) -> None:
    *parents, name = path
    for depth, parent in enumerate(parents, 1):
        if parent not in table:
            table[parent] = new(depth == len(parents))
        table = table[parent]
    if value is None:
        del table[name]
    else:
        table[name] = value


def _at(table: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        table = table.get(name) if isinstance(table, dict) else None
    return table
