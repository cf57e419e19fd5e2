"""An external tool, installed through an entry point as by pip."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

TOOL = '''
from pathlib import Path

from tools.base import Context, tool


@tool
def {function}(ctx: Context, target: str, hosts: list[str] | None = None) -> str:
    """Deploy the work to its users.

    Args:
        target: The file to write.
        hosts: The machines to deploy to.
    """
    Path(target).write_text("deployed")
    return "deployed"


{name} = {function}
'''


def install_tool(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str = "deploy", function: str = "") -> None:
    """Install a tool under the name of an entry point; `function` is the name of its function if that differs."""
    attribute = name.replace("-", "_")
    module = f"outsider_{attribute}"
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[swe_agent.tools]\n{name} = {module}\n")
    (folder / f"{module}.py").write_text(TOOL.format(name=attribute, function=function or attribute))
    monkeypatch.delitem(sys.modules, module, raising=False)  # that of another test
    monkeypatch.syspath_prepend(folder)
