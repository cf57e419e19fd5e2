"""Words in place of a subcommand, and completion of an unfinished command line."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from agent.cli.command_line import run
from agent.cli.value_completion import complete_run
from agent.runs import resumable_runs
from trajectories.journal import encode
from trajectories.records import Base, Issue, Run, Turn

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fxi"], "There is no subcommand 'fxi'. Did you mean `fix`?"),
        (["fxi", "--text", "x"], "Did you mean `fix`?"),
        (["explain", "this"], "There is no subcommand 'explain'; `swe-agent --help` lists them."),
        (["explain", "this"], "swe-agent -- explain this"),
    ],
)
def test_unknown_word_is_an_error_with_a_suggestion(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("command", ["fix", "prove"])
def test_text_without_option_names_the_options_for_an_issue(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert_options_are_named(command, capsys)


def assert_options_are_named(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "add() subtracts"]) == 2
    assert capsys.readouterr().err == (
        f"swe-agent: `swe-agent {command}` does not take the argument 'add() subtracts'. Give an issue as --text TEXT, "
        f"--issue-file FILE or --issue URL. See `swe-agent {command} --help`.\n"
    )


@pytest.mark.parametrize("arguments", [["strategies", "x"], ["config", "get", "a", "b", "c"]])
def test_other_surplus_argument_is_named(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert_surplus_argument_is_named(arguments, capsys)


def assert_surplus_argument_is_named(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    said = capsys.readouterr().err
    assert f"does not take the argument {arguments[-1]!r}. See `swe-agent {arguments[0]} --help`." in said
    assert "--text" not in said


def complete(words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What bash offers after these words, of which the last one is unfinished."""
    monkeypatch.setenv("_SWE_AGENT_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
    with pytest.raises(SystemExit) as ended:
        run([])
    assert ended.value.code == 0
    return capsys.readouterr().out.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("swe-agent fi", ["fix"]),
        ("swe-agent fix --merge", ["--merge-review"]),
        ("swe-agent fix --workspace ", ["docker", "sandbox", "local"]),
        ("swe-agent fix --strategy b", ["best-of"]),
        ("swe-agent fix --effort m", ["minimal", "medium"]),
        ("swe-agent config get bud", ["budget"]),
        ("swe-agent config set session.t", ["session.theme"]),
        ("swe-agent resume ", ["one"]),
        ("swe-agent resume o", ["one"]),
    ],
)
def test_words_are_completed(
    words: str,
    offered: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_run(tmp_path, monkeypatch)
    assert complete(words, monkeypatch, capsys) == offered


def make_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the run `one`, the only one of a user."""
    folder = tmp_path / "runs" / "one"
    folder.mkdir(parents=True)
    records = Run("one", Issue("It fails"), "/shop", Base("", "")), Turn("", "build")
    (folder / "journal.jsonl").write_bytes(b"".join(map(encode, records)))
    monkeypatch.setenv("SWE_AGENT_STATE", str(tmp_path))


def test_invalid_config_completes_no_runs(
    own_config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own_config.write_text("budget = [")
    assert complete("swe-agent resume ", monkeypatch, capsys) == []


def test_empty_command_line_completes_every_subcommand(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert {"fix", "prove", "completion"} <= set(complete("swe-agent ", monkeypatch, capsys))


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        ("bash", "complete -o default -F _swe_agent_completion swe-agent"),
        ("zsh", "compdef _swe_agent_completion swe-agent"),
        ("fish", "complete --command swe-agent"),
    ],
)
def test_script_of_shell_is_printed(shell: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    assert line in capsys.readouterr().out


def test_unknown_shell_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", "tcsh"]) == 2
    assert "'bash', 'zsh', 'fish'" in capsys.readouterr().err


@pytest.mark.slow
def test_bash_completes_with_the_script(tmp_path: Path) -> None:
    """The shell starts the program without arguments, which opens no session then."""
    program = tmp_path / "swe-agent"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(ROOT / "swe_agent"))} "$@"\n')
    program.chmod(0o755)
    script = (
        'eval "$(swe-agent completion bash)"; COMP_WORDS=(swe-agent conf); COMP_CWORD=1; '
        '_swe_agent_completion swe-agent; echo "${COMPREPLY[@]}"'
    )
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(
        ["bash", "--norc", "-c", script], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == ("config\n", "")


@pytest.mark.parametrize("title", ["\\$(touch /tmp/x) bug", "closing [/b] tag", "`id`", "a\nb\x1b[31m", "'; id; '"])
def test_title_of_a_run_cannot_reach_the_shell(monkeypatch: pytest.MonkeyPatch, title: str) -> None:
    """The scripts of some shells evaluate the help of a completion."""
    runs = [SimpleNamespace(name="brisk-otter", title=title), SimpleNamespace(name="$(id)", title="")]
    monkeypatch.setattr(resumable_runs, "runs_in", lambda folder: runs)
    ((name, shown),) = complete_run("")
    assert name == "brisk-otter"
    assert re.fullmatch(r"[\w .,]*", shown, re.ASCII)
