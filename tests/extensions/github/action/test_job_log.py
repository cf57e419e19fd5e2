"""Output and errors of the three jobs contain no commands to the Actions runner."""

from __future__ import annotations

import io
import sys

import pytest

from agent.cli.command_line import run
from extensions.github.action.job_log import EscapedStream, escape_commands
from trajectories.errors import ConfigError, SweAgentError

INJECTION = "odd\n::add-mask::e\n##[set-output name=digest]x"


def commands(printed: str) -> list[str]:
    return [line for line in printed.split("\n") if line.startswith("::") or "##[" in line]


@pytest.mark.parametrize(
    ("error", "code"),
    [(ValueError(INJECTION), 1), (ConfigError(INJECTION, INJECTION), 3)],
    ids=["unexpected", "expected"],
)
@pytest.mark.parametrize("verb", ["gate_job.decide", "solve_job.solve", "publish_job.publish"])
def test_error_contains_no_runner_command(
    verb: str, error: Exception, code: int, monkeypatch, capsys, tmp_path
) -> None:
    def fail(*_: object) -> int:
        sys.stdout.write("::notice::x")
        raise error

    monkeypatch.setattr(f"extensions.github.action.{verb}", fail)
    assert run(["github", verb.partition("_job.")[0], "--out", str(tmp_path / "out")]) == code
    out, err = capsys.readouterr()
    assert commands(out + err) == []
    assert "add-mask" in err, "the text itself is missing"
    assert isinstance(error, SweAgentError) or "Traceback" in err


def test_harmless_output_is_unchanged(capsys) -> None:
    assert escape_commands(lambda: sys.stdout.write("four")) == 4
    assert capsys.readouterr().out == "four"


def test_stream_may_be_closed_after_its_target() -> None:
    stream = io.StringIO()
    escaped = EscapedStream(stream)
    stream.close()
    escaped.close()
    assert not escaped.closed
