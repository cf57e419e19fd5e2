"""API keys of model providers: where they are found and stored.

They are looked up in this order: the environment variable that the model's table names, the provider's usual variable,
the system's keyring, the plain-text key file. The last two store keys under the name of the model or of its provider. A
custom `api_base` gets only a key that is meant for it: one in the variable that the table names, or one stored under
the model's name.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.config.user_file import user_file, write_user_file
from trajectories.errors import ConfigError, UsageError, error_reason
from trajectories.file_limits import read_config

if TYPE_CHECKING:
    from agent.config.model_table import ModelTable
    from agent.config.settings import Settings

SERVICE = "swe-agent"
"""The service name of the entries in the system's keyring."""
OTHER_NAMES = {"together_ai": "TOGETHERAI", "hosted_vllm": "VLLM"}
DUMMIES = frozenset({"sk-no-key-required", "token-abc123", "sk-1234567890"})
"""Placeholder keys from the manuals of local servers."""
WORD = re.compile(r"[A-Za-z_ -]{1,15}")
SHORTEST = 8


@dataclass(frozen=True, slots=True)
class Key:
    """The API key of a model. `where` describes where `value` was found, or says that it is missing (then `value` is
    empty)."""

    value: str
    where: str

    def __repr__(self) -> str:
        return f"Key({self.where!r})"


def key_for(model: str, table: ModelTable) -> str:
    """Return the key for a model by its litellm name (`anthropic/claude-…`); "" if there is none.

    Raises ConfigError if the table names a variable that is not set.
    """
    key = find_key(model, table)
    if table.key_env and not key.value:
        raise ConfigError(
            f"The key of {model} should be in ${table.key_env}, which is not set.",
            f"Set it, or correct key_env in [models.{model!r}].",
        )
    return key.value


def find_key(model: str, table: ModelTable) -> Key:
    """Return the key for a model and where it was found. If the table names a variable, only that is used."""
    has_own_address = bool(table.api_base) and not table.key_env
    variable = table.key_env or usual_variable(model)
    if not has_own_address and (value := os.environ.get(variable, "").strip()):
        return Key(value, f"set in ${variable}")
    if table.key_env:
        return Key("", f"missing: ${variable} is not set")
    names = [name for name in _names(model) if not (has_own_address and name == provider_of(model))]
    if value := next(filter(None, map(_from_keyring, names)), ""):
        return Key(value, "in the system's keyring")
    stored = _from_file()
    if value := next((stored[name] for name in names if name in stored), ""):
        return Key(value, f"in plain text in {clear_file()}")
    if has_own_address:
        return Key(
            "",
            "none is sent to its own api_base: set key_env, or store a key under its name",
        )
    return Key("", f"missing: neither in ${variable} nor in the system's keyring")


def advice(model: str, table: ModelTable) -> str:
    """Return the advice that is shown for a model without a key."""
    if table.key_env:
        return f"Set ${table.key_env}."
    if table.api_base:
        return f"Store one for this server: `swe-agent config key {model}`, or name its variable in key_env."
    return f"Set ${usual_variable(model)}, or store one: `swe-agent config key {provider_of(model)}`."


def looks_secret(key: str) -> bool:
    """Return whether a key must be masked. Placeholders such as EMPTY, ollama or not-needed are not secrets, and
    masking them would damage source code."""
    return len(key) >= SHORTEST and key not in DUMMIES and not WORD.fullmatch(key)


def _names(model: str) -> list[str]:
    """Return the names under which a key may be stored, the most specific first: users write a model with or without
    its provider."""
    provider = provider_of(model)
    bare = model.removeprefix(f"{provider}/")
    return list(dict.fromkeys([model, bare, f"{provider}/{bare}", provider]))


def provider_of(model: str) -> str:
    """Return the provider in a model's litellm name; names without one are OpenAI's or Anthropic's."""
    provider, slash, _ = model.partition("/")
    return provider if slash else "anthropic" if model.startswith("claude") else "openai"


def variables(settings: Settings) -> dict[str, str]:
    """Return the environment variables, with values, that hold the keys of the configured models and their fallbacks.

    Keys from other places are not included.
    """
    found, seen, left = {}, set(), [settings.model, *settings.roles.values()]
    while left:
        if not (model := left.pop()) or model in seen:
            continue
        seen.add(model)
        table = settings.model_table(model, model.partition("/")[2])
        name = table.key_env or ("" if table.api_base else usual_variable(model))
        if value := os.environ.get(name, ""):
            found[name] = value
        left.append(table.fallback)
    return found


def usual_variable(model: str) -> str:
    """Return the usual environment variable of a provider's key: `ANTHROPIC_API_KEY` for `anthropic/…`."""
    provider = provider_of(model)
    return f"{OTHER_NAMES.get(provider, provider.upper().replace('-', '_'))}_API_KEY"


# Storing a key


def store(name: str, key: str, in_clear: bool = False, table: ModelTable | None = None) -> str:
    """Store the key of a provider or model; return a description of where it is stored. `table` is the model's own.
    Raises ConfigError if the keyring fails."""
    if in_clear:
        _write_file(_from_file() | {name: key})
        return f"in plain text in {clear_file()}, which only you and your programs can read"
    import keyring
    from keyring.errors import KeyringError

    try:
        if not has_keyring():
            raise _no_keyring("it has none", name)
        keyring.set_password(SERVICE, name, key)
        kept = keyring.get_password(SERVICE, name)
    except KeyringError as error:
        raise _no_keyring(str(error).partition("\n")[0] or type(error).__name__, name) from None
    if kept != key:
        raise _no_keyring("it did not store the key", name)
    return "in the system's keyring"


def delete(name: str) -> list[str]:
    """Delete the key of a provider or model; return where it was stored. Raises UsageError if there was none."""
    gone = []
    if _from_keyring(name):
        import keyring

        keyring.delete_password(SERVICE, name)
        gone.append("the system's keyring")
    stored = _from_file()
    if stored.pop(name, ""):
        _write_file(stored)
        gone.append(str(clear_file()))
    if not gone:
        raise UsageError(f"No key of {name} is stored here.", "Keys in environment variables must be unset by you.")
    return gone


def has_keyring() -> bool:
    """Return whether this machine has a keyring that stores keys safely: one that works, persists and encrypts them."""
    import keyring

    return float(getattr(keyring.get_keyring(), "priority", 0)) >= 1


def _no_keyring(why: str, name: str) -> ConfigError:
    variable = f"Set {usual_variable(f'{name}/' if '/' not in name else name)} in your environment"
    in_clear = ", or, to store the key in a plain-text file, give --in-clear."
    model, table = _model_of(name)
    if table and table.key_env:
        variable, in_clear = f"Set ${table.key_env}: the table of {model} names it, so only that is used", "."
    elif table and table.api_base:  # the provider's variable is not sent there
        variable = f"Set models.{model}.key_env to the name of a variable with the key"
    return ConfigError(f"The system's keyring cannot be used: {why}.", f"{variable}{in_clear}")


def _model_of(name: str) -> tuple[str, ModelTable | None]:
    """Return the model that uses a key stored under this name, and its table; ("", None) for the name of a provider and
    if the settings are invalid."""
    from agent.config.settings import load_settings

    try:
        models = load_settings().models
    except ConfigError:
        return "", None
    names = [name, name.partition("/")[2], *(model for model in models if name in _names(model)[:-1])]
    return next(((model, models[model]) for model in names if model in models), ("", None))


def _from_keyring(name: str) -> str:
    """Return the key in the system's keyring; "" if there is no keyring or it is locked."""
    import keyring
    from keyring.errors import KeyringError

    try:
        return (has_keyring() and keyring.get_password(SERVICE, name)) or ""
    except (KeyringError, OSError, RuntimeError):  # backends may raise errors of the desktop environment
        return ""


# The plain-text key file: beside the user's config, written only on request


def clear_file() -> Path:
    """Return the path of the plain-text key file."""
    return user_file().with_name("keys.toml")


def _from_file() -> dict[str, str]:
    path = clear_file()
    try:
        text = read_config(path).decode("utf-8")
        mode = stat.S_IMODE(path.stat().st_mode)
        kept: dict[str, Any] = tomllib.loads(text)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{path} cannot be read: {error_reason(error)}.", "Fix the file or its permissions, or remove it."
        ) from None
    if mode & 0o077:
        raise ConfigError(f"{path} holds keys, and other users can read it.", f"chmod 600 {shlex.quote(str(path))}")
    return {name: value for name, value in kept.items() if isinstance(value, str)}


def _write_file(keys: dict[str, str]) -> None:
    import tomlkit

    write_user_file(clear_file(), tomlkit.dumps(keys))
