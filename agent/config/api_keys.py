"""Keys of model providers: where one is found, and where the user may keep one.

Looked for in this order: the environment variable that the model's table names, the provider's usual variable, the
system's keyring, the file in clear. In the last two it lies under the model's name or its provider's. To an address of
the table's own goes only a key that is meant for it: in the variable that the table names, or under the model's name.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trajectories.errors import ConfigError, UsageError
from trajectories.limits import read_config

if TYPE_CHECKING:
    from agent.settings import ModelTable, Settings

SERVICE = "swe-agent"
"""The name under which the system's keyring shows our entries."""
OTHER_NAMES = {"together_ai": "TOGETHERAI", "hosted_vllm": "VLLM"}
DUMMIES = frozenset({"sk-no-key-required", "token-abc123", "sk-1234567890"})
"""What manuals of local servers say to give as a key."""
WORD = re.compile(r"[A-Za-z_ -]{1,15}")
SHORTEST = 8


@dataclass(frozen=True, slots=True)
class Key:
    """`where` says in words where `value` was found, or that it is missing (then `value` is empty)."""

    value: str
    where: str

    def __repr__(self) -> str:
        return f"Key({self.where!r})"


def key_for(model: str, table: ModelTable) -> str:
    """The key for a model by its litellm name (`anthropic/claude-…`); "" if there is none.

    Raises ConfigError when the table names a variable that is not set.
    """
    key = find_key(model, table)
    if table.key_env and not key.value:
        raise ConfigError(
            f"The key of {model} should be in ${table.key_env}, which is not set.",
            f"Set it, or mend key_env in [models.{model!r}].",
        )
    return key.value


def find_key(model: str, table: ModelTable) -> Key:
    """The key for a model and where it lies. A table that names a variable means that one and no other."""
    own = bool(table.api_base) and not table.key_env
    variable = table.key_env or usual_variable(model)
    if not own and (value := os.environ.get(variable, "").strip()):
        return Key(value, f"set in ${variable}")
    if table.key_env:
        return Key("", f"missing: ${variable} is not set")
    names = [name for name in _names(model) if not (own and name == provider_of(model))]
    if value := next(filter(None, map(_from_keyring, names)), ""):
        return Key(value, "in the system's keyring")
    clear = _from_file()
    if value := next((clear[name] for name in names if name in clear), ""):
        return Key(value, f"in clear in {clear_file()}")
    if own:
        return Key(
            "", "none is sent to its own api_base: no key_env names one, and none is kept under the model's name"
        )
    return Key("", f"missing: neither in ${variable} nor in the system's keyring")


def advice(model: str, table: ModelTable) -> str:
    """What the user does where a model has no key."""
    if table.key_env:
        return f"Set ${table.key_env}."
    if table.api_base:
        return f"Store one for this server: `swe-agent config key {model}`, or name its variable in key_env."
    return f"Set ${usual_variable(model)}, or store one: `swe-agent config key {provider_of(model)}`."


def looks_secret(key: str) -> bool:
    """Whether a key is one to be masked wherever it stands: words such as EMPTY, ollama or not-needed are none, and
    would be masked out of source code."""
    return len(key) >= SHORTEST and key not in DUMMIES and not WORD.fullmatch(key)


def without_userinfo(text: str) -> str:
    """A URL, or a text with some, without the user and password that stand before a host."""
    return re.sub(r"//[^/\s]*@", "//", text)


def _names(model: str) -> list[str]:
    """Under which a key may be kept, the closest first: users write a model with or without its provider."""
    provider = provider_of(model)
    bare = model.removeprefix(f"{provider}/")
    return list(dict.fromkeys([model, bare, f"{provider}/{bare}", provider]))


def provider_of(model: str) -> str:
    """The provider in a model's litellm name; names without one are OpenAI's or Anthropic's."""
    provider, slash, _ = model.partition("/")
    return provider if slash else "anthropic" if model.startswith("claude") else "openai"


def variables(settings: Settings) -> dict[str, str]:
    """The environment variables in which the keys of the settings' models and of their fallbacks lie, with their
    values; a key that lies elsewhere is not among them."""
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
    """The environment variable in which a provider's key usually lies: `ANTHROPIC_API_KEY` for `anthropic/…`."""
    provider = provider_of(model)
    return f"{OTHER_NAMES.get(provider, provider.upper().replace('-', '_'))}_API_KEY"


# Keeping one


def store(name: str, key: str, in_clear: bool = False) -> str:
    """Keep the key of a provider or model; returns where, in words. Raises ConfigError when the keyring cannot."""
    if in_clear:
        _write_file(_from_file() | {name: key})
        return f"in clear in {clear_file()}, readable by you alone and by every program you run"
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
        raise _no_keyring("it did not keep the key", name)
    return "in the system's keyring"


def delete(name: str) -> list[str]:
    """Forget the key of a provider or model; returns where it lay. Raises UsageError when there was none."""
    gone = []
    if _from_keyring(name):
        import keyring

        keyring.delete_password(SERVICE, name)
        gone.append("the system's keyring")
    clear = _from_file()
    if clear.pop(name, ""):
        _write_file(clear)
        gone.append(str(clear_file()))
    if not gone:
        raise UsageError(f"No key of {name} is kept here.", "Keys in environment variables are yours to unset.")
    return gone


def has_keyring() -> bool:
    """Whether this machine has a keyring that keeps keys safe: not one that fails, forgets, or writes in clear."""
    import keyring

    return float(getattr(keyring.get_keyring(), "priority", 0)) >= 1


def _no_keyring(why: str, name: str) -> ConfigError:
    return ConfigError(
        f"The system's keyring cannot be used: {why}.",
        f"Set {usual_variable(f'{name}/' if '/' not in name else name)} in your environment, or, to have the key in a "
        "file in clear, give --in-clear.",
    )


def _from_keyring(name: str) -> str:
    """The key in the system's keyring; a machine without one, or one that is locked, has none."""
    import keyring
    from keyring.errors import KeyringError

    try:
        return (has_keyring() and keyring.get_password(SERVICE, name)) or ""
    except (KeyringError, OSError, RuntimeError):  # backends raise what their desktop does
        return ""


# The file in clear: beside the user's config, written only when asked for


def clear_file() -> Path:
    """Where keys lie that the user wanted in clear."""
    from agent.settings import user_file

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
        raise ConfigError(f"{path} cannot be read: {error}.", "Mend the file, or remove it.") from None
    if mode & 0o077:
        raise ConfigError(f"{path} holds keys, and others may read it.", f"chmod 600 {path}")
    return {name: value for name, value in kept.items() if isinstance(value, str)}


def _write_file(keys: dict[str, str]) -> None:
    import tomlkit

    from agent.userconfig import write

    write(clear_file(), tomlkit.dumps(keys))
