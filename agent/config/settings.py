"""The settings of a run as one typed object, and their sources.

Precedence: administrator's policy > flag > `SWE_AGENT_*` > user's config > the repository's file > default. Strangers
may write the repository's `.swe-agent.toml`, so it sets only the image and the set-up, test and server commands.
"""

from __future__ import annotations

import os
import re
import shlex
import tomllib
from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

from platformdirs import user_state_path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

from aci.environments.registries import REGISTRIES
from agent.config.environment_variables import PREFIX, check_environment
from agent.config.hook_table import HookTable
from agent.config.mcp_table import McpTable
from agent.config.model_table import ModelTable
from agent.config.session_preferences import TABLE as PREFERENCES
from agent.config.user_file import user_file
from agent.config.validation_reason import validation_reason
from agent.permissions.permission_table import PermissionTable
from trajectories.errors import ConfigError, UsageError, error_reason
from trajectories.file_limits import read_config

POLICY = Path("/etc/swe-agent/policy.toml")
HELP = "See `swe-agent fix --help`."
SECRET = re.compile(r"(?:^|_)(?:API_?KEY|KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)(?:$|_)", re.IGNORECASE)
"""Pattern of the names of variables that hold secrets."""
REPOSITORY = "the repository's .swe-agent.toml"
OF_REPOSITORY = frozenset({"image", "setup", "test", "serve"})
LEAST = 16 << 20
"""Minimum memory or disk size of a container, in bytes."""
Size = Annotated[str, AfterValidator(lambda value: _check_size(value))]


class ServiceTable(BaseModel):
    """`[services.NAME]` of the user's config; `aci/docker/service_containers.py` documents each key.

    The service runs for the repositories in the list `repositories`, or for all repositories if the list is empty. The
    list contains names that `swe-agent env list` shows.
    """

    model_config = ConfigDict(extra="forbid")

    image: str
    command: Annotated[str, AfterValidator(lambda value: _check_command(value))] = ""
    env: dict[str, str] = Field(default_factory=dict)
    variables: dict[str, str] = Field(default_factory=dict)
    ready: str = ""
    ports: tuple[int, ...] = ()
    seconds: float = Field(default=60.0, gt=0)
    repositories: tuple[str, ...] = ()


NOWHERE: dict[str, Any] = {"apply": False, "branch": "", "pr": False}
"""Settings that disable delivery of the patch, since the user must request it for each run."""
WITHOUT_MEMORY: dict[str, Any] = {"experience": False, "user_memory": False}
"""Settings of runs that must not depend on earlier runs or on what the user had remembered."""


class Settings(BaseSettings):
    """All settings; `agent/config/setting_descriptions.py` describes each in a line.

    `roles` maps a role of a strategy (`reviewer`, `judge`) to its model; all other roles use `model`. `function`,
    `workload` and `benchmark` are the targets of `optimize` (see docs/optimize.md); `function` is also the
    comma-separated list of targets of `test` (see docs/testing.md). `experience` and `user_memory` are not used in
    batches and in the Action (see docs/experience.md).

    If `image` is empty, the image is detected (see docs/environments.md). `images` maps a language (`python`,
    `python3.9`) to an image. Each of the `services` runs in a container beside the workspace, on the workspace's
    loopback interface. docs/security.md describes `runtime` and `read_only`.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, allow_inf_nan=False)

    model: str = ""
    roles: dict[str, str] = Field(default_factory=dict)
    strategy: str = ""
    attempts: int = Field(default=3, gt=0, le=26)
    workspace: Literal["docker", "sandbox", "local"] = "docker"
    image: str = ""
    images: dict[str, str] = Field(default_factory=dict)
    setup: str = ""
    setup_time: float = Field(default=1800.0, gt=0)
    setup_env: dict[str, str] = Field(default_factory=dict)
    setup_repair: bool = True
    browser: bool | None = None
    registries: tuple[str, ...] = REGISTRIES
    copy_files: tuple[Annotated[str, AfterValidator(lambda value: _normalize_folder(value))], ...] = ()
    certificates: Path | None = None
    services: dict[str, ServiceTable] = Field(default_factory=dict)
    test: str = ""
    serve: str = ""
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
    memory: Size = Field(default="4g", pattern=r"^\d+[kmg]?$")
    processes: int = Field(default=1024, gt=0)
    disk: Size = Field(default="10g", pattern=r"^\d+[kmg]?$")
    cpus: float = Field(default=0.0, ge=0)
    runtime: str = Field(default="", pattern=r"^[\w.-]*$")
    read_only: bool = False
    prompts: Path | None = None
    effort: Literal["", "none", "minimal", "low", "medium", "high"] = ""
    rounds: int = Field(default=3, gt=0)
    delegate: bool = True
    retry_wait: float = Field(default=2.0, ge=0)
    patience: float = Field(default=600.0, ge=0)
    first_timeout: float = Field(default=1800.0, gt=0)
    model_timeout: float = Field(default=300.0, gt=0)
    max_reply: str = Field(default="64m", pattern=r"^[1-9]\d{0,11}[kmg]?$")
    update_tests: bool = False
    in_place: bool = False
    merge_review: bool = False
    independent: bool = True
    accept: Literal["verified", "plausible"] = "verified"
    exploit_test: bool = False
    experience: bool = True
    instructions: bool = True
    user_memory: bool = True
    session_pairs: bool = False
    subtree: Annotated[str, AfterValidator(lambda value: _normalize_folder(value))] = ""
    apply: bool = False
    branch: str = ""
    pr: bool = False
    models: dict[str, ModelTable] = Field(default_factory=dict)
    permissions: PermissionTable = Field(default_factory=PermissionTable)
    hooks: HookTable = Field(default_factory=HookTable)
    mcp: McpTable = Field(default_factory=dict)
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
        # Otherwise pydantic-settings would merge entries of the environment into a table that a policy or flag sets.
        # A tool such as direnv may take the environment from a repository: it names no programs or files.
        ignored = init_settings().keys() - {"permissions"} | {"hooks", "mcp", "copy_files"}
        return init_settings, lambda: {name: value for name, value in env_settings().items() if name not in ignored}

    @field_validator("setup_env")
    @classmethod
    def _check_setup_env(cls, value: dict[str, str]) -> dict[str, str]:
        """Reject secrets: the repository's own code can read the variables and send them to a registry."""
        for name, text in value.items():
            if why := secret_reason(name, text):
                raise ValueError(why)
        return value

    @field_validator("services")
    @classmethod
    def _check_service_names(cls, value: dict[str, ServiceTable]) -> dict[str, ServiceTable]:
        """Reject names of services that are not valid host names."""
        for name in value:
            if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name):
                raise ValueError(f"{name!r} cannot name a service: use lower-case letters, digits and hyphens")
        return value

    @property
    def needs_browser(self) -> bool | None:
        """Whether the project has pages: as `browser` says, else yes if a command starts its server; None if its files
        decide."""
        return True if self.browser is None and self.serve else self.browser

    @property
    def runs(self) -> Path:
        return self.state / "runs"

    @property
    def reports(self) -> Path:
        return self.state / "reports"

    @property
    def limits(self) -> dict[str, Any]:
        """The limits of a container, and the files for a clone, as `WorkspaceOptions` takes them."""
        return self.model_dump(include={"memory", "processes", "disk", "cpus", "runtime", "read_only", "copy_files"})

    def run_directory(self, name: str) -> Path:
        """Return the directory of a run, given its name as `runs` shows it, a unique start or last part of the name
        (`cbf5a0` of `20260101-120000-cbf5a0`), or its path.

        Raises UsageError.
        """
        with suppress(OSError):  # the name may be too long for a path
            if "/" in name and (Path(name) / "journal.jsonl").exists():
                return Path(name)
        folders = sorted(self.runs.glob("*")) if name else []
        known = [each for each in folders if each.name.startswith(name) or each.name.endswith(f"-{name}")]
        exact = [folder for folder in known if folder.name == name]
        if len(exact or known) != 1:
            what = f"{len(known)} runs start or end with {name!r}" if known else f"There is no run named {name!r}"
            raise UsageError(f"{what}.", "`swe-agent runs` lists them.")
        return (exact or known)[0]

    def recorded(self) -> dict[str, Any]:
        """Return the settings that a run records: not state, permissions, hooks, mcp, copy_files, nor keys in URLs."""
        from aci.observation.secret_masking import without_url_secrets

        values = self.model_dump(mode="json", exclude={"state", "permissions", "hooks", "mcp", "copy_files"})
        for table in values["models"].values():
            table["api_base"] = without_url_secrets(table["api_base"])
        return values

    def model_table(self, *names: str) -> ModelTable:
        """Return the first of the named model tables that is in the user's config, else an empty one."""
        return next((self.models[name] for name in names if name in self.models), ModelTable())


def secret_reason(name: str, text: str) -> str:
    """Return why the set-up must not have this variable; "" if it may."""
    if SECRET.search(name) or re.search(r"://[^/@\s]*:[^/@\s]*@", text):
        return f"{name} looks like a secret, which the set-up must not have: it runs untrusted code"
    return ""


def load_settings(of_repository: bytes = b"", **flags: Any) -> Settings:
    """Load the settings from all sources. A flag that is None was not given; `of_repository` is the repository's
    `.swe-agent.toml`.

    Raises UsageError for an invalid flag, and ConfigError for a misspelt variable or any other invalid value, with its
    name and source. Warns about other unknown variables.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    low = _read_repository_config(of_repository) | without_preferences(read_toml(user_file()))
    low = {name: value for name, value in low.items() if not in_environment(name)}
    named = "model" in given or in_environment("model")
    policy = _policy()
    _check_names({user_file(): low, POLICY: policy})
    values = _merge_policy(apply_coder_role(low, named) | given, policy)
    _check_image(values, of_repository, given)
    try:
        settings = Settings(**values)
        if "coder" in settings.roles:  # from the environment
            found = apply_coder_role({"roles": settings.roles, "model": settings.model}, named or "model" in policy)
            settings = settings.model_copy(update=found)
        check_environment(Settings.model_fields, _named_variables(settings))
        return settings
    except SettingsError as error:
        raise ConfigError(f"The environment cannot be used: {error}.", "Unset the variable, or correct it.") from None
    except ValidationError as error:
        names = [str(part) for part in error.errors()[0]["loc"]]
        name, reason = ".".join(names), validation_reason(error)
        if names[0] in given:
            raise UsageError(f"Invalid value for --{name.replace('_', '-')}: {reason}.", HELP) from None
        where = origins(of_repository).get(names[0], "the environment")
        raise ConfigError(f"Invalid value for {name} in {where}: {reason}.", HELP) from None


def _named_variables(settings: Settings) -> list[str]:
    """Return the names of the environment variables that the settings mention."""
    keys = [table.key_env for table in settings.models.values()]
    return [*keys, *(name for server in settings.mcp.values() for name in server.variables)]


def _check_names(files: Mapping[Path, Mapping[str, Any]]) -> None:
    """Raise ConfigError for a setting's name in different case, since two sources could then set it twice."""
    known = {name.casefold(): name for name in Settings.model_fields}
    for file, values in files.items():
        if misspelt := next((name for name in values if known.get(name.casefold(), name) != name), None):
            raise ConfigError(f"{misspelt} in {file} cannot be used.", f"Write {known[misspelt.casefold()]}.")


def under_policy(settings: Settings, loaded: Settings | None = None) -> Settings:
    """Return the settings with the administrator's policy applied; `loaded` are settings that already include it.
    `permissions` already include the policy, and `state` cannot change after loading. Raises ConfigError."""
    names = _policy().keys() - {"permissions", "state"}
    if not names:
        return settings
    today = loaded or load_settings()
    return settings.model_copy(update={name: getattr(today, name) for name in names})


def apply_coder_role(table: dict[str, Any], named: bool = False) -> dict[str, Any]:
    """Return the table with the `coder` role's model as its `model`, unless a higher source sets one (`named`)."""
    roles = table.get("roles")
    if not isinstance(roles, dict) or "coder" not in roles:
        return table
    others = {role: name for role, name in roles.items() if role != "coder"}
    return table | {"roles": others} | ({} if named else {"model": roles["coder"]})


def policy_permissions() -> PermissionTable:
    """Return the rules of the administrator's policy alone. Raises ConfigError."""
    try:
        return PermissionTable.model_validate(_policy().get("permissions", {}))
    except ValidationError as error:
        why = validation_reason(error)
        raise ConfigError(f"Invalid value for permissions in {POLICY}: {why}.", "Ask the administrator.") from None


def _policy() -> dict[str, Any]:
    return apply_coder_role(read_toml(POLICY))


def _merge_policy(values: dict[str, Any], policy: dict[str, Any]) -> dict[str, Any]:
    """Return the values, overridden by the policy. The `permissions` rules of both apply."""
    ours, theirs = values.get("permissions"), policy.get("permissions")
    merged = values | policy
    if isinstance(ours, dict) and isinstance(theirs, dict):
        lists = {name: (ours.get(name, []), theirs.get(name, [])) for name in ours | theirs}
        if wrong := next((each for pair in lists.values() for each in pair if not isinstance(each, list)), None):
            return merged | {"permissions": wrong}
        merged["permissions"] = {name: [*first, *second] for name, (first, second) in lists.items()}
    return merged


def _check_image(values: dict[str, Any], of_repository: bytes, given: Collection[str]) -> None:
    """Raise ConfigError if only the repository names the image and it is not from a public registry."""
    from aci.environments.registries import image_refusal

    image = values.get("image")
    theirs = "image" not in given and origins(of_repository).get("image") == REPOSITORY
    if theirs and isinstance(image, str) and image and (why := image_refusal(image)):
        raise ConfigError(
            f"image in {REPOSITORY} cannot be used: {image[:80]!r}: {why}.", "If you trust it, name it with --image."
        )


def _check_command(command: str) -> str:
    try:
        shlex.split(command)
    except ValueError as error:
        raise ValueError(f"it is not a command: {error}") from None
    return command


def _normalize_folder(path: str) -> str:
    """Return a path in the repository in the form that git trees use; "" for the whole repository."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.startswith("/") or ".." in parts:
        raise ValueError("give a path inside the repository, relative to it")
    return "/".join(parts)


def _check_size(size: str) -> str:
    """Raise ValueError if a size is too small: no command could run, and 0 would mean no limit."""
    match = re.fullmatch(r"(\d{1,12})([kmg]?)", size)
    if match and int(match[1]) * {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}[match[2]] < LEAST:
        raise ValueError("give it at least 16m")
    return size


def origins(of_repository: bytes = b"") -> dict[str, str]:
    """Return descriptions of where each setting's value comes from; a setting that is not included has its default.
    Raises ConfigError."""
    found = dict.fromkeys(_read_repository_config(of_repository), REPOSITORY)
    found |= dict.fromkeys(without_preferences(read_toml(user_file())), str(user_file()))
    there = _lower_case_variables()
    found |= {name: f"${PREFIX}{name.upper()}" for name in Settings.model_fields if f"{PREFIX}{name}".lower() in there}
    return found | dict.fromkeys(read_toml(POLICY), f"the administrator's {POLICY}")


def without_preferences(values: dict[str, Any]) -> dict[str, Any]:
    """Return a user's config without the preferences of the terminal session, which do not concern runs."""
    return {name: value for name, value in values.items() if name != PREFERENCES}


def in_environment(name: str) -> bool:
    """Return whether an environment variable sets this setting; case is ignored, as in pydantic."""
    return f"{PREFIX}{name}".lower() in _lower_case_variables()


def _lower_case_variables() -> set[str]:
    return {variable.lower() for variable in os.environ}


def _read_repository_config(text: bytes) -> dict[str, Any]:
    try:
        values = tomllib.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"The repository's .swe-agent.toml cannot be read: {error}.", "Fix the file.") from None
    if foreign := sorted(values.keys() - OF_REPOSITORY):
        named = ", ".join(foreign)
        raise ConfigError(
            f"The repository's .swe-agent.toml sets {named}; it may set only image, setup, test and serve.",
            "Move the rest to your own config.",
        )
    return values


def read_toml(path: Path) -> dict[str, Any]:
    """Return the content of a config file; empty if there is none. Raises ConfigError."""
    try:
        return tomllib.loads(read_config(path).decode("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"{path} cannot be read: {error_reason(error)}.", "Fix the file, or its permissions."
        ) from None
