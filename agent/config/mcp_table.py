"""The user's MCP servers: programs or addresses whose tools a session may offer to the model."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from agent.config.hook_table import check_program

NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*([_-][A-Za-z0-9]+)*")
LONGEST_NAME = 24
LOOPBACK = ("127.0.0.1", "::1", "localhost")
_VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"
Variable = Annotated[str, Field(pattern=_VARIABLE)]


def _check_url(url: str) -> str:
    """Reject addresses that would send calls and the token in the clear, or that contain a password."""
    if not url:
        return url
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("it is not an http address")
    if parts.username or parts.password:
        raise ValueError("it contains a user or password; name the variable with the token in token_env")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError("it is not encrypted; only an address of this machine may begin with http://")
    return url


class McpServer(BaseModel):
    """`[mcp.NAME]` of the user's config or of the administrator's policy.

    A server is a program with its arguments (`command`, which runs without a shell), or an address (`url`). `env` lists
    the variables that the program gets in addition to a few others such as PATH and HOME. `token_env` is the name of
    the variable whose value is sent to the address as a bearer token. `allow` lists the tools that are called without
    asking, by their names on the server. `timeout` is the time limit of one request, in seconds.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: tuple[str, ...] = ()
    url: Annotated[str, AfterValidator(_check_url)] = ""
    env: tuple[Variable, ...] = ()
    token_env: str = Field(default="", pattern=rf"^$|{_VARIABLE}")
    allow: tuple[str, ...] = ()
    timeout: float = Field(default=60.0, gt=0, le=3600)

    @model_validator(mode="after")
    def _check_kind(self) -> McpServer:
        if bool(self.command) == bool(self.url):
            raise ValueError("give either a command or a url")
        if self.command and self.token_env:
            raise ValueError("token_env is for a url; name the variables of a command in env")
        if self.url and self.env:
            raise ValueError("env is for a command; name the variable with the token in token_env")
        if self.command:
            object.__setattr__(self, "command", check_program(self.command))
        return self

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of the environment variables that the server is given."""
        return (*self.env, *((self.token_env,) if self.token_env else ()))


def check_server_names(servers: dict[str, McpServer]) -> dict[str, McpServer]:
    """Reject names that cannot begin the name of a tool, and pairs that would begin it alike."""
    known: dict[str, str] = {}
    for name in servers:
        if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
            raise ValueError(
                f"{name!r} cannot name a server: use at most {LONGEST_NAME} letters and digits, with single hyphens"
            )
        other = known.setdefault(name.replace("-", "_"), name)
        if other != name:
            raise ValueError(f"{other} and {name} differ only in their hyphens")
    return servers


McpTable = Annotated[dict[str, McpServer], AfterValidator(check_server_names)]
