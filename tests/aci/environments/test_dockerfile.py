"""A Dockerfile as set-up: what it says is done by commands under our limits, or it is passed over with the reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aci.environments.dockerfile import DockerfileStage, UnusableDockerfile, expand_variables, read_dockerfile
from aci.environments.environment_plan import Dockerfile

FILES = {"requirements.txt": b"", "src/a.py": b"", "docker/entry.sh": b""}


def reading(text: str, context: str = "", target: str = "", **args: str) -> DockerfileStage:
    return read_dockerfile(Dockerfile("Dockerfile", context, target, args), {**FILES, "Dockerfile": text.encode()})


def texts(text: str, **args: str) -> list[str]:
    return [command.text for command in reading(text, **args).commands]


def test_ordinary_one() -> None:
    found = reading(
        "# syntax=docker/dockerfile:1\nARG VERSION=3.9\nFROM python:${VERSION}-slim\n"
        "ENV A=1 B='two words' \\\n  C=\"$A\"\n"
        "WORKDIR /app\n\n# comment\nRUN apt-get update && \\\n    # inside\n    apt-get install -y gcc\n"
        'COPY requirements.txt ./\nRUN ["pip", "install", "-r", "requirements.txt"]\nCOPY . .\nUSER nobody\nCMD ["x"]\n'
    )
    assert found.image == "python:3.9-slim"
    assert found.variables == {"A": "1", "B": "two words", "C": "1"}
    exports = "export A=1; export B='two words'; export C=1; "
    assert [command.text for command in found.commands] == [
        "mkdir -p /app",
        f"{exports}cd /app && apt-get update &&      apt-get install -y gcc",
        "mkdir -p /app/ && cp -P -- /workspace/repo/requirements.txt /app/",
        f"{exports}cd /app && pip install -r requirements.txt",
        "mkdir -p /app/ && cp -RP -- /workspace/repo/. /app/",
    ]
    assert found.copied == ["requirements.txt"]


def test_path_goes_before_images_own() -> None:
    found = reading("FROM x\nENV PATH=/opt/bin:/more:$PATH\nRUN tool\n")
    assert found.paths == ("/opt/bin", "/more")
    assert found.variables == {}
    assert found.commands[0].text == "export PATH=/opt/bin:/more:$PATH; tool"


def test_several_paths_and_what_is_not_taken_of_them() -> None:
    found = reading("FROM x\nENV PATH=/a:$PATH\nENV PATH=/b:${PATH}\n")
    assert (found.paths, found.untaken) == (("/b", "/a"), [])
    found = reading("FROM x\nENV PATH=/a:$PATH:/late\nENV PATH=/only\n")
    assert found.paths == ("/a",)
    assert ["/late" in found.untaken[0], "/only" in found.untaken[1]] == [True, True]


def test_stage_that_goes_on_from_another() -> None:
    text = "FROM python:3 AS base\nENV A=1\nRUN one\nFROM base AS dev\nRUN two\nFROM base\nRUN three\n"
    assert [command.split("; ")[-1] for command in texts(text)] == ["one", "three"]
    assert [command.split("; ")[-1] for command in texts(text, target="dev")] == ["one", "two"]


def test_arguments_that_are_given_and_their_defaults() -> None:
    assert texts("FROM x\nARG A=1\nARG B\nARG C=3\nRUN echo\n", A="9", B="8") == [
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
def test_what_cannot_be_done_is_said(text: str, why: str) -> None:
    with pytest.raises(UnusableDockerfile, match=why):
        reading(text)


def test_flags_of_run_are_left_out() -> None:
    assert texts("FROM x\nRUN --mount=type=ssh --security=insecure --network=host make\n") == ["make"]


def test_names_of_files_are_never_words_of_shell() -> None:
    (command,) = texts('FROM x\nCOPY ["a; touch pwned", "$(id)", "/to here/"]\n')
    assert "'/workspace/repo/a; touch pwned'" in command
    assert "'/to here/'" in command
    (pattern,) = texts("FROM x\nCOPY src/*;id /y\n")
    assert ";id" not in pattern


def test_context_below_top() -> None:
    found = reading("FROM x\nCOPY entry.sh /\n", context="docker")
    assert found.commands[0].text == "mkdir -p / && cp -P -- /workspace/repo/docker/entry.sh /"
    with pytest.raises(UnusableDockerfile, match="outside"):
        reading("FROM x\nCOPY ../../x /\n", context="docker")


def test_target_that_is_not_there() -> None:
    with pytest.raises(UnusableDockerfile, match="no stage 'dev'"):
        reading("FROM x\n", target="dev")


@pytest.mark.parametrize(
    ("text", "value"),
    [("$A-${A}", "1-1"), ("${B:-two}", "two"), ("${A:+yes}", "yes"), ("${B:+no}", ""), ("\\$A", "$A"), ("$B", "")],
)
def test_references(text: str, value: str) -> None:
    assert expand_variables(text, {"A": "1"}) == value


LINES = st.sampled_from(["FROM", "RUN", "COPY", "ENV", "ARG", "WORKDIR", "USER", "ADD", "SHELL", "run", "\\"])


ONE_LINE = st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=30)


@pytest.mark.slow
@given(st.lists(st.tuples(LINES, ONE_LINE), max_size=8))
def test_no_text_breaks_reader(lines: list[tuple[str, str]]) -> None:
    text = "".join(f"{word} {rest}\n" for word, rest in [("FROM", "x"), *lines])
    try:
        found = reading(text)
    except UnusableDockerfile:
        return
    assert found.image
