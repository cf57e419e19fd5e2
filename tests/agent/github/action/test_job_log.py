"""What the three jobs print, and how they end, is no command to the runner."""

from __future__ import annotations

import sys

import pytest

from agent.cli import run
from agent.github.log import harmlessly
from trajectories.errors import ConfigError, SweAgentError

ODD = "odd\n::add-mask::e\n##[set-output name=digest]x"


def commands(printed: str) -> list[str]:
    return [line for line in printed.split("\n") if line.startswith("::") or "##[" in line]


@pytest.mark.parametrize(("error", "code"), [(ValueError(ODD), 1), (ConfigError(ODD, ODD), 3)], ids=["odd", "foreseen"])
@pytest.mark.parametrize("verb", ["gate.decide", "solve.solve", "publish.publish"])
def test_an_error_is_text(verb: str, error: Exception, code: int, monkeypatch, capsys, tmp_path) -> None:
    def fails(*_: object) -> int:
        sys.stdout.write("::notice::x")
        raise error

    monkeypatch.setattr(f"agent.github.{verb}", fails)
    assert run(["github", verb.partition(".")[0], "--out", str(tmp_path / "out")]) == code
    out, err = capsys.readouterr()
    assert commands(out + err) == []
    assert "add-mask" in err, "it is text, and there"
    assert isinstance(error, SweAgentError) or "Traceback" in err


def test_what_went_well_is_told_as_it_was(capsys) -> None:
    assert harmlessly(lambda: sys.stdout.write("four")) == 4
    assert capsys.readouterr().out == "four"
