"""Parts of subcommands that are in an extension: a sentence says which one is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from agent.cli.commands import graph
from extensions.interactive.session.commands import export, remember, report
from trajectories import importers, plugins
from trajectories.errors import UsageError

SESSION = SimpleNamespace(engine=None)
USES = {
    "a trajectory of another program": ("lab", lambda: importers.load(Path("a.traj"))),
    "/export": ("lab", lambda: export.run(SESSION, "")),
    "/remember": ("memory", lambda: remember.run(SESSION, "x")),
    "/report": ("report", lambda: report.run(SESSION, "")),
    "graph --html": ("report", lambda: graph.command("add", html=Path("page.html"))),
}


@pytest.mark.parametrize(("extension", "use"), USES.values(), ids=USES)
def test_missing_extension_is_named(extension: str, use: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "extension_names", lambda: ())
    with pytest.raises(UsageError, match=f"is in the extension {extension}, which is not installed"):
        use()


def test_missing_extension_offers_no_format(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "extension_names", lambda: ())
    assert export.completions(SESSION, "") == []
