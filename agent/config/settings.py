"""What a run is allowed and told: one typed object, and where each value comes from.

Precedence: administrator's policy > flag > `SWE_AGENT_*` > user's config > the repository's file > default.
The repository's `.swe-agent.toml` may be written by strangers: it names image, set-up and test command, nothing else.
"""

from __future__ import annotations

import os
import re
import shlex
import tomllib
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from platformdirs import user_config_path, user_state_path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

from aci.environments.hosts import REGISTRIES
from agent.environment_variables import PREFIX, check_environment
from agent.ledger import Price
from agent.session.preferences import TABLE as PREFERENCES
from trajectories.errors import ConfigError, UsageError
from trajectories.limits import read_config

POLICY = Path("/etc/swe-agent/policy.toml")
HELP = "`swe-agent fix --help` says what it takes."
SECRET = re.compile(r"(?:^|_)(?:API_?KEY|KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)(?:$|_)", re.IGNORECASE)
"""Names under which secrets go."""
REPOSITORY = "the repository's .swe-agent.toml"
OF_REPOSITORY = frozenset({"image", "setup", "test"})
LEAST = 16 << 20
"""Bytes of memory, or of disk, without which no container is of use."""

PRICES = {"price_in": "input", "price_out": "output", "price_cached": "cached", "price_written": "written"}


class ModelTable(BaseModel):
    """`[models.NAME]` of the user's config.

    Prices in dollars per million tokens; `context` and `max_output` in tokens. `key_env` names the environment variable
    with the key. `calls` says how tools are called: natively, or in fenced text for models that know no tools.
    `fallback` is the model asked when this one fails.
    """

    model_config = ConfigDict(extra="forbid")

    api_base: str = ""
    key_env: str = ""
    price_in: float | None = Field(default=None, ge=0)
    price_out: float | None = Field(default=None, ge=0)
    price_cached: float | None = Field(default=None, ge=0)
    price_written: float | None = Field(default=None, ge=0)
    max_output: int | None = Field(default=None, gt=0)
    context: int | None = Field(default=None, gt=0)
    calls: Literal["auto", "native", "fenced"] = "auto"
    images: bool | None = None
    effort: Literal["", "none", "minimal", "low", "medium", "high"] = ""
    temperature: float | None = Field(default=None, ge=0, le=2)
    fallback: str = ""

    def price(self, name: str, known: Price | None = None) -> Price | None:
        """The user's own price of the model. Half a price takes the rest, also for the cache, from what is `known`.

        Raises ConfigError for half a price of a model whose other half nobody knows.
        """
        own = {part: value for field, part in PRICES.items() if (value := getattr(self, field)) is not None}
        if not own:
            return known
        if own.keys() >= {"input", "output"}:
            return Price(**own, own=True)
        if known is None:
            missing = " and ".join(field for field in ("price_in", "price_out") if PRICES[field] not in own)
            what = f"The table of {name} has a price without {missing}, which nobody else knows."
            raise ConfigError(
                what, f"`swe-agent config set models.{name}.{missing.split()[0]} DOLLARS` per million tokens."
            )
        return replace(known, **own, own=True)


class ServiceTable(BaseModel):
    """`[services.NAME]` of the user's config: `aci/services.py` says what each means. It runs for the `repositories`
    that are named, as `env list` shows them; for all if there are none."""

    model_config = ConfigDict(extra="forbid")

    image: str
    command: Annotated[str, AfterValidator(lambda value: _of_words(value))] = ""
    env: dict[str, str] = Field(default_factory=dict)
    variables: dict[str, str] = Field(default_factory=dict)
    ready: str = ""
    ports: tuple[int, ...] = ()
    seconds: float = Field(default=60.0, gt=0)
    repositories: tuple[str, ...] = ()


class PermissionTable(BaseModel):
    """`[permissions]` of the user's config and the administrator's policy: rules as `agent/rules.py` reads them, about
    what a session need not ask, and what it must not do. Those of both hold; what is denied is denied."""

    model_config = ConfigDict(extra="forbid")

    allow: tuple[Annotated[str, AfterValidator(lambda value: _rule(value))], ...] = ()
    deny: tuple[Annotated[str, AfterValidator(lambda value: _rule(value))], ...] = ()


NOWHERE: dict[str, Any] = {"apply": False, "branch": "", "pr": False}
"""Settings with which a patch is delivered nowhere: each of them is a person's to give, for one run."""


class Settings(BaseSettings):
    """Dollars in `budget`. Seconds in `max_time`, `test_timeout` (of one run of the tests), `suite_time` (for what of a
    large suite has nothing to do with the patch), `setup_time` (for the whole set-up of an environment),
    `first_timeout` (until a model's reply shows anything: text, reasoning or arguments) and `model_timeout` (between
    two such pieces, and to connect). `max_reply` is the most that a provider may send as one reply. `rounds` is how
    often a strategy may come back with failing evidence.
    In a batch a provider may refuse requests as too many for `patience` seconds; the first pause is `retry_wait` long.

    `roles` maps a role of a strategy (`reviewer`, `judge`) to the model that has it; all others are `model`'s.
    `attempts` is how many a strategy makes that makes several.

    `function`, `workload` and `benchmark` are what `optimize` is to make faster, see docs/optimize.md; `function` is
    also what `test` is to write tests for, separated by commas: see docs/testing.md.

    `subtree` is the folder of the repository that may be changed, all if empty. With `experience` what runs come to is
    kept, and told to later runs of the repository; never in batches and in the Action: see docs/experience.md.

    `image` empty: found, see docs/environments.md. `images` maps a language (`python`, `python3.9`) to an image.
    Set-up reaches the hosts in `registries`, trusts `certificates` (a PEM file), and has the variables of `setup_env`;
    `services` run beside each workspace in a container, on its loopback.

    `memory`, `processes`, `disk` and `cpus` (0 for all) bound a container; `runtime` names one that Docker knows
    (`runsc`); with `read_only` the image's own files cannot be written: see docs/security.md.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, allow_inf_nan=False)

    model: str = ""
    roles: dict[str, str] = Field(default_factory=dict)
    strategy: str = ""
    attempts: int = Field(default=3, gt=0, le=26)
    workspace: Literal["docker", "local"] = "docker"
    image: str = ""
    images: dict[str, str] = Field(default_factory=dict)
    setup: str = ""
    setup_time: float = Field(default=1800.0, gt=0)
    setup_env: dict[str, str] = Field(default_factory=dict)
    registries: tuple[str, ...] = REGISTRIES
    certificates: Path | None = None
    services: dict[str, ServiceTable] = Field(default_factory=dict)
    test: str = ""
    reproduce: str = ""
    function: str = ""
    workload: str = ""
    benchmark: str = ""
    budget: float | None = Field(default=2.0, ge=0)
    max_steps: int = Field(default=100, gt=0)
    max_tokens: int | None = Field(default=None, gt=0)
    max_time: float | None = Field(default=None, gt=0)
    test_timeout: float = Field(default=600.0, gt=0)
    suite_time: float = Field(default=60.0, gt=0)
    memory: Annotated[str, AfterValidator(lambda value: _enough(value))] = Field(default="4g", pattern=r"^\d+[kmg]?$")
    processes: int = Field(default=1024, gt=0)
    disk: Annotated[str, AfterValidator(lambda value: _enough(value))] = Field(default="10g", pattern=r"^\d+[kmg]?$")
    cpus: float = Field(default=0.0, ge=0)
    runtime: str = Field(default="", pattern=r"^[\w.-]*$")
    read_only: bool = False
    prompts: Path | None = None
    effort: Literal["", "none", "minimal", "low", "medium", "high"] = ""
    rounds: int = Field(default=3, gt=0)
    retry_wait: float = Field(default=2.0, ge=0)
    patience: float = Field(default=600.0, ge=0)
    first_timeout: float = Field(default=1800.0, gt=0)
    model_timeout: float = Field(default=300.0, gt=0)
    max_reply: str = Field(default="64m", pattern=r"^[1-9]\d{0,11}[kmg]?$")
    update_tests: bool = False
    experience: bool = True
    subtree: Annotated[str, AfterValidator(lambda value: _folder(value))] = ""
    apply: bool = False
    branch: str = ""
    pr: bool = False
    models: dict[str, ModelTable] = Field(default_factory=dict)
    permissions: PermissionTable = Field(default_factory=PermissionTable)
    state: Path = Field(default_factory=lambda: user_state_path("swe-agent"))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[Any, ...]:
        # Not merged: pydantic-settings would add entries of the environment to a table that a policy or a flag sets.
        outranked = init_settings().keys() - {"permissions"}
        return init_settings, lambda: {name: value for name, value in env_settings().items() if name not in outranked}

    @field_validator("setup_env")
    @classmethod
    def _without_secrets(cls, value: dict[str, str]) -> dict[str, str]:
        """What set-up knows, the repository's own code can read and send to a registry."""
        for name, text in value.items():
            if why := secret_in(name, text):
                raise ValueError(why)
        return value

    @field_validator("services")
    @classmethod
    def _of_good_names(cls, value: dict[str, ServiceTable]) -> dict[str, ServiceTable]:
        """A service's name is that of a host, too."""
        for name in value:
            if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name):
                raise ValueError(f"{name!r} cannot name a service: write small letters, digits and hyphens")
        return value

    @property
    def runs(self) -> Path:
        return self.state / "runs"

    @property
    def limits(self) -> dict[str, Any]:
        """What bounds a container, as `aci.workspace.Options` takes it."""
        return self.model_dump(include={"memory", "processes", "disk", "cpus", "runtime", "read_only"})

    def run_directory(self, name: str) -> Path:
        """Where the run called `name` lies: a name as `runs` shows it, its unambiguous beginning, or a directory."""
        with suppress(OSError):  # of a name that is too long
            if "/" in name and (Path(name) / "journal.jsonl").exists():
                return Path(name)
        known = [folder for folder in sorted(self.runs.glob("*")) if folder.name.startswith(name)] if name else []
        exact = [folder for folder in known if folder.name == name]
        if len(exact or known) != 1:
            what = f"{len(known)} runs begin with {name!r}" if known else f"There is no run named {name!r}"
            raise UsageError(f"{what}.", "`swe-agent runs` lists them.")
        return (exact or known)[0]

    def recorded(self) -> dict[str, Any]:
        """The settings as a run's record holds them: without where runs lie, what may be done on this machine without
        asking, and a password in an address."""
        from agent.keys import without_userinfo

        values = self.model_dump(mode="json", exclude={"state", "permissions"})
        for table in values["models"].values():
            table["api_base"] = without_userinfo(table["api_base"])
        return values

    def model_table(self, *names: str) -> ModelTable:
        """The first of these tables that the user wrote, else an empty one."""
        return next((self.models[name] for name in names if name in self.models), ModelTable())


def secret_in(name: str, text: str) -> str:
    """Why set-up is not told this variable; empty where it may be."""
    if SECRET.search(name) or re.search(r"://[^/@\s]*:[^/@\s]*@", text):
        return f"{name} looks like a secret, which set-up must not have: strangers' code runs there"
    return ""


def load_settings(of_repository: bytes = b"", **flags: Any) -> Settings:
    """Settings from all sources; a flag that is None was not given, `of_repository` is its `.swe-agent.toml`.

    Raises UsageError for a bad flag, ConfigError for a bad value elsewhere, naming it and where it is from, and for a
    misspelt variable. Warns of other variables that are not known.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    low = _of_repository(of_repository) | without_preferences(read_toml(user_file()))
    low = {name: value for name, value in low.items() if not in_environment(name)}
    named = "model" in given or in_environment("model")
    policy = _policy()
    _check_names({user_file(): low, POLICY: policy})
    values = _together(with_coder(low, named) | given, policy)
    _check_image(values, of_repository, given)
    try:
        settings = Settings(**values)
        if "coder" in settings.roles:  # of the environment
            found = with_coder({"roles": settings.roles, "model": settings.model}, named or "model" in policy)
            settings = settings.model_copy(update=found)
        check_environment(Settings.model_fields, [table.key_env for table in settings.models.values()])
        return settings
    except SettingsError as error:
        raise ConfigError(f"The environment cannot be used: {error}.", "Unset the variable, or mend it.") from None
    except ValidationError as error:
        problem = error.errors()[0]
        name = ".".join(str(part) for part in problem["loc"])
        if problem["loc"][0] in given:
            raise UsageError(f"--{name.replace('_', '-')} cannot be used: {problem['msg']}.", HELP) from None
        where = origins(of_repository).get(str(problem["loc"][0]), "the environment")
        raise ConfigError(f"{name} in {where} cannot be used: {problem['msg']}.", HELP) from None


def _check_names(files: Mapping[Path, Mapping[str, Any]]) -> None:
    """Raises ConfigError for a name that is a setting's in other letters: two sources would set it, each in its own."""
    known = {name.casefold(): name for name in Settings.model_fields}
    for file, values in files.items():
        if odd := next((name for name in values if known.get(name.casefold(), name) != name), None):
            raise ConfigError(f"{odd} in {file} cannot be used.", f"Write {known[odd.casefold()]}.")


def under_policy(settings: Settings, loaded: Settings | None = None) -> Settings:
    """Return the settings with the administrator's policy applied, as it is in `loaded` settings. Permissions already
    include it, and `state` cannot change after loading. Raises ConfigError."""
    names = _policy().keys() - {"permissions", "state"}
    if not names:
        return settings
    today = loaded or load_settings()
    return settings.model_copy(update={name: getattr(today, name) for name in names})


def with_coder(table: dict[str, Any], named: bool = False) -> dict[str, Any]:
    """The table with the model of the role `coder` as its model, unless a source before it has `named` a model."""
    roles = table.get("roles")
    if not isinstance(roles, dict) or "coder" not in roles:
        return table
    others = {role: name for role, name in roles.items() if role != "coder"}
    return table | {"roles": others} | ({} if named else {"model": roles["coder"]})


def policy_permissions() -> PermissionTable:
    """The rules of the administrator's policy alone. Raises ConfigError."""
    try:
        return PermissionTable.model_validate(_policy().get("permissions", {}))
    except ValidationError as error:
        why = error.errors()[0]["msg"]
        raise ConfigError(f"permissions in {POLICY} cannot be used: {why}.", "Ask the administrator.") from None


def _policy() -> dict[str, Any]:
    return with_coder(read_toml(POLICY))


def _together(values: dict[str, Any], policy: dict[str, Any]) -> dict[str, Any]:
    """The policy's values before all others; of permissions the rules of both hold."""
    ours, theirs = values.get("permissions"), policy.get("permissions")
    merged = values | policy
    if isinstance(ours, dict) and isinstance(theirs, dict):
        lists = {name: (ours.get(name, []), theirs.get(name, [])) for name in ours | theirs}
        if wrong := next((each for pair in lists.values() for each in pair if not isinstance(each, list)), None):
            return merged | {"permissions": wrong}
        merged["permissions"] = {name: [*first, *second] for name, (first, second) in lists.items()}
    return merged


def _check_image(values: dict[str, Any], of_repository: bytes, given: Collection[str]) -> None:
    """An image that the repository names, and nobody else, is of a public registry. Raises ConfigError."""
    from aci.environments.devcontainer import image_of_strangers

    image = values.get("image")
    theirs = "image" not in given and origins(of_repository).get("image") == REPOSITORY
    if theirs and isinstance(image, str) and image and (why := image_of_strangers(image)):
        raise ConfigError(
            f"image in {REPOSITORY} cannot be used: {image[:80]!r}: {why}.", "If you trust it, name it with --image."
        )


def _rule(text: str) -> str:
    from agent.rules import rule_of

    if isinstance(rule := rule_of(text), str):
        raise ValueError(rule)
    return text


def _of_words(command: str) -> str:
    try:
        shlex.split(command)
    except ValueError as error:
        raise ValueError(f"it is no command: {error}") from None
    return command


def _folder(path: str) -> str:
    """A folder of the repository as trees name it; "" for all of it."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.startswith("/") or ".." in parts:
        raise ValueError("give a folder inside the repository, relative to it")
    return "/".join(parts)


def _enough(size: str) -> str:
    """Below it nothing runs at all, and 0 would be no limit."""
    match = re.fullmatch(r"(\d{1,12})([kmg]?)", size)
    if match and int(match[1]) * {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}[match[2]] < LEAST:
        raise ValueError("give it at least 16m")
    return size


def origins(of_repository: bytes = b"") -> dict[str, str]:
    """Where the value of each setting is from, in words; what is not named here is its default. Raises ConfigError."""
    found = dict.fromkeys(_of_repository(of_repository), REPOSITORY)
    found |= dict.fromkeys(without_preferences(read_toml(user_file())), str(user_file()))
    there = _variables()
    found |= {name: f"${PREFIX}{name.upper()}" for name in Settings.model_fields if f"{PREFIX}{name}".lower() in there}
    return found | dict.fromkeys(read_toml(POLICY), f"the administrator's {POLICY}")


def without_preferences(values: dict[str, Any]) -> dict[str, Any]:
    """A user's config without what is about how a session looks, which no run has to do with."""
    return {name: value for name, value in values.items() if name != PREFERENCES}


def in_environment(name: str) -> bool:
    """Whether an environment variable gives this setting; as in pydantic, in capitals or not."""
    return f"{PREFIX}{name}".lower() in _variables()


def _variables() -> set[str]:
    return {variable.lower() for variable in os.environ}


def user_file() -> Path:
    """The user's own config file, which need not be there."""
    return Path(os.environ.get("SWE_AGENT_CONFIG") or user_config_path("swe-agent") / "config.toml")


def _of_repository(text: bytes) -> dict[str, Any]:
    try:
        values = tomllib.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"The repository's .swe-agent.toml cannot be read: {error}.", "Mend the file.") from None
    if foreign := sorted(values.keys() - OF_REPOSITORY):
        raise ConfigError(
            f"The repository's .swe-agent.toml sets {', '.join(foreign)}; it may set image, setup and test only.",
            "Move the rest to your own config.",
        )
    return values


def read_toml(path: Path) -> dict[str, Any]:
    """What a config file says; nothing where there is none. Raises ConfigError."""
    try:
        return tomllib.loads(read_config(path).decode("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} cannot be read: {error}.", "Mend the file.") from None
