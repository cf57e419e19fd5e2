"""What the three jobs print, and how they end, is no command to the runner."""

from __future__ import annotations

import io
import sys

import pytest

from agent.cli.command_line import run
from agent.github.action.job_log import EscapedStream, escape_commands
from trajectories.errors import ConfigError, SweAgentError

ODD = "odd\n::add-mask::e\n##[set-output name=digest]x"


def commands(printed: str) -> list[str]:
    return [line for line in printed.split("\n") if line.startswith("::") or "##[" in line]


@pytest.mark.parametrize(("error", "code"), [(ValueError(ODD), 1), (ConfigError(ODD, ODD), 3)], ids=["odd", "foreseen"])
@pytest.mark.parametrize("verb", ["gate_job.decide", "solve_job.solve", "publish_job.publish"])
def test_error_is_text(verb: str, error: Exception, code: int, monkeypatch, capsys, tmp_path) -> None:
    def fails(*_: object) -> int:
        sys.stdout.write("::notice::x")
        raise error

    monkeypatch.setattr(f"agent.github.action.{verb}", fails)
    assert run(["github", verb.partition("_job.")[0], "--out", str(tmp_path / "out")]) == code
    out, err = capsys.readouterr()
    assert commands(out + err) == []
    assert "add-mask" in err, "it is text, and there"
    assert isinstance(error, SweAgentError) or "Traceback" in err


def test_what_went_well_is_told_as_it_was(capsys) -> None:
    assert escape_commands(lambda: sys.stdout.write("four")) == 4
    assert capsys.readouterr().out == "four"


def test_it_may_be_freed_after_stream_was_closed() -> None:
    stream = io.StringIO()
    harmless = EscapedStream(stream)
    stream.close()
    harmless.close()
    assert not harmless.closed
