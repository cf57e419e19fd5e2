"""The arguments of the tools. Unknown ones are refused, so that no client believes that it chose a model or budget."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from extensions.mcp_server.server_options import LONGEST_PATH

LONGEST_ISSUE, LONGEST_DIFF, LONGEST_NAME = 100_000, 2_000_000, 500
MOST_TESTS = 50


def _check_node(node: str) -> str:
    """Raise ValueError for a test's name that a test runner would read as an option."""
    if node.startswith("-") or "\0" in node:
        raise ValueError("a test is named by its id, file or folder")
    return node


Node = Annotated[str, Field(max_length=LONGEST_NAME, min_length=1), AfterValidator(_check_node)]
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]


class Arguments(BaseModel):
    """Arguments that every tool has."""

    model_config = ConfigDict(extra="forbid", strict=True)

    repository: str = Field(
        default="",
        max_length=LONGEST_PATH,
        description="Path or folder name of one of the server's repositories; default: the first.",
    )


class Locate(Arguments):
    issue: str = Field(max_length=LONGEST_ISSUE, min_length=1, description="The issue; its first line is the title.")
    top: int = Field(default=10, ge=1, le=50, description="Number of files and of functions.")


class Graph(Arguments):
    name: Name = Field(description="Class.method, module.name, path.py:name or path.py.")
    depth: int = Field(default=1, ge=1, le=2, description="Levels of callers and callees.")


class Symbols(Arguments):
    name: Name = Field(description="A name as in its definition, or the path of a file: then all its definitions.")


class RunTests(Arguments):
    tests: list[Node] = Field(
        default_factory=list, max_length=MOST_TESTS, description="Test ids, files or folders; default: all tests."
    )


class Prove(Arguments):
    patch: str = Field(max_length=LONGEST_DIFF, min_length=1, description="The diff, as `git diff` writes it.")
    issue: str = Field(default="", max_length=LONGEST_ISSUE, description="The issue that the patch should solve.")


class Optimize(Arguments):
    function: Name = Field(description="The function, as PATH.py:QUALNAME.")


class Fix(Arguments):
    issue: str = Field(
        default="",
        max_length=LONGEST_ISSUE,
        description="The issue; its first line is the title. Without one, the failing tests are made to pass.",
    )
