"""A Dockerfile as set-up: its instructions become commands under our limits, or it is refused with the reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extensions.environments.manifests.devcontainer import Dockerfile
from extensions.environments.manifests.dockerfile import (
    DockerfileStage,
    UnusableDockerfile,
    expand_variables,
    read_dockerfile,
)

FILES = {"requirements.txt": b"", "src/a.py": b"", "docker/entry.sh": b""}


def read_stage(text: str, context: str = "", target: str = "", **args: str) -> DockerfileStage:
    return read_dockerfile(Dockerfile("Dockerfile", context, target, args), {**FILES, "Dockerfile": text.encode()})


def command_texts(text: str, **args: str) -> list[str]:
    return [command.text for command in read_stage(text, **args).commands]


def test_ordinary_dockerfile_becomes_commands() -> None:
    stage = read_stage(
        "# syntax=docker/dockerfile:1\nARG VERSION=3.9\nFROM python:${VERSION}-slim\n"
        "ENV A=1 B='two words' \\\n  C=\"$A\"\n"
        "WORKDIR /app\n\n# comment\nRUN apt-get update && \\\n    # inside\n    apt-get install -y gcc\n"
        'COPY requirements.txt ./\nRUN ["pip", "install", "-r", "requirements.txt"]\nCOPY . .\nUSER nobody\nCMD ["x"]\n'
    )
    assert stage.image == "python:3.9-slim"
    assert stage.variables == {"A": "1", "B": "two words", "C": "1"}
    exports = "export A=1; export B='two words'; export C=1; "
    assert [command.text for command in stage.commands] == [
        "mkdir -p /app",
        f"{exports}cd /app && apt-get update &&      apt-get install -y gcc",
        "mkdir -p /app/ && cp -P -- /workspace/repo/requirements.txt /app/",
        f"{exports}cd /app && pip install -r requirements.txt",
        "mkdir -p /app/ && cp -RP -- /workspace/repo/. /app/",
    ]
    assert stage.copied == ["requirements.txt"]


def test_path_is_prepended_to_path_of_image() -> None:
    stage = read_stage("FROM x\nENV PATH=/opt/bin:/more:$PATH\nRUN tool\n")
    assert stage.paths == ("/opt/bin", "/more")
    assert stage.variables == {}
    assert stage.commands[0].text == "export PATH=/opt/bin:/more:$PATH; tool"


def test_several_paths_are_joined_and_others_are_listed_as_untaken() -> None:
    stage = read_stage("FROM x\nENV PATH=/a:$PATH\nENV PATH=/b:${PATH}\n")
    assert (stage.paths, stage.untaken) == (("/b", "/a"), [])
    stage = read_stage("FROM x\nENV PATH=/a:$PATH:/late\nENV PATH=/only\n")
    assert stage.paths == ("/a",)
    assert ["/late" in stage.untaken[0], "/only" in stage.untaken[1]] == [True, True]


def test_stage_includes_commands_of_its_base_stage() -> None:
    text = "FROM python:3 AS base\nENV A=1\nRUN one\nFROM base AS dev\nRUN two\nFROM base\nRUN three\n"
    assert [command.split("; ")[-1] for command in command_texts(text)] == ["one", "three"]
    assert [command.split("; ")[-1] for command in command_texts(text, target="dev")] == ["one", "two"]


def test_given_arguments_replace_defaults() -> None:
    assert command_texts("FROM x\nARG A=1\nARG B\nARG C=3\nRUN echo\n", A="9", B="8") == [
        "export A=9; export B=8; export C=3; echo"
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no FROM"),
        ("RUN x\nFROM y\n", "begins with"),
        ("FROM\n", "without an image"),
        ("FROM a AS b\nFROM c\nCOPY --from=b /x /y\n", "another stage"),
        ("FROM x\nADD https://example.com/x /x\n", "network"),
        ("FROM x\nCOPY ../secret /x\n", "outside the repository"),
        ("FROM x\nCOPY 'a /b\n", "cannot be read"),
        ("FROM x\nCOPY a\n", "without a source"),
        ("FROM x\nRUN <<EOF\necho\nEOF\n", "here-document"),
        ("FROM localhost:5000/x\n", "public"),
        ("FROM $UNKNOWN\n", "it is not a valid image name"),
        ("FROM x\nPRIVILEGED yes\n", "unknown instruction"),
    ],
)
def test_unusable_dockerfile_is_refused_with_reason(text: str, why: str) -> None:
    with pytest.raises(UnusableDockerfile, match=why):
        read_stage(text)


def test_flags_of_run_are_ignored() -> None:
    assert command_texts("FROM x\nRUN --mount=type=ssh --security=insecure --network=host make\n") == ["make"]


def test_file_names_are_quoted_for_shell() -> None:
    (command,) = command_texts('FROM x\nCOPY ["a; touch pwned", "$(id)", "/to here/"]\n')
    assert "'/workspace/repo/a; touch pwned'" in command
    assert "'/to here/'" in command
    (pattern,) = command_texts("FROM x\nCOPY src/*;id /y\n")
    assert ";id" not in pattern


def test_files_are_copied_from_context_below_top_folder() -> None:
    stage = read_stage("FROM x\nCOPY entry.sh /\n", context="docker")
    assert stage.commands[0].text == "mkdir -p / && cp -P -- /workspace/repo/docker/entry.sh /"
    with pytest.raises(UnusableDockerfile, match="outside"):
        read_stage("FROM x\nCOPY ../../x /\n", context="docker")


def test_missing_target_is_refused() -> None:
    with pytest.raises(UnusableDockerfile, match="no stage 'dev'"):
        read_stage("FROM x\n", target="dev")


@pytest.mark.parametrize(
    ("text", "value"),
    [("$A-${A}", "1-1"), ("${B:-two}", "two"), ("${A:+yes}", "yes"), ("${B:+no}", ""), ("\\$A", "$A"), ("$B", "")],
)
def test_references_to_variables_are_expanded(text: str, value: str) -> None:
    assert expand_variables(text, {"A": "1"}) == value


INSTRUCTIONS = st.sampled_from(["FROM", "RUN", "COPY", "ENV", "ARG", "WORKDIR", "USER", "ADD", "SHELL", "run", "\\"])


ONE_LINE = st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=30)


@pytest.mark.slow
@given(st.lists(st.tuples(INSTRUCTIONS, ONE_LINE), max_size=8))
def test_no_text_crashes_reader(lines: list[tuple[str, str]]) -> None:
    text = "".join(f"{instruction} {rest}\n" for instruction, rest in [("FROM", "x"), *lines])
    try:
        stage = read_stage(text)
    except UnusableDockerfile:
        return
    assert stage.image
