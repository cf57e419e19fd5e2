"""The programs that a browser needs in a workspace: Chromium, and Node with Playwright to drive it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, NamedTuple

from aci.runtime.workspace import HARNESS_SESSION
from extensions.pages.browser_setup import CHROMIUM, FOLDER
from trajectories.errors import Cancelled

if TYPE_CHECKING:
    from aci.runtime.workspace import Workspace

OLDEST_NODE = 20
_FIND = f"""
chromium=; for each in {" ".join(CHROMIUM)}; do chromium=$(command -v $each) && break; done
[ -n "$chromium" ] || exit 1
new() {{ [ "$("$1" -p 'parseInt(process.versions.node)' 2>/dev/null)" -ge {OLDEST_NODE} ] 2>/dev/null; }}
node=$(command -v node); new "$node" || node={FOLDER}/node; new "$node" || exit 1
for package in {FOLDER}/package "$ROOT/node_modules/playwright-core"; do
    [ -e "$package/package.json" ] && printf '%s\\n' "$node" "$package" "$chromium" && exit
done
exit 1
"""


class BrowserPrograms(NamedTuple):
    """Paths in a workspace: Node, the folder of playwright-core, and Chromium."""

    node: str
    playwright: str
    chromium: str


def find_browser(workspace: Workspace) -> BrowserPrograms | None:
    """Return the programs if the workspace has them. A workspace without isolation has no browser: pages run code.

    Raises Cancelled if the workspace is stopped: nothing is known then.
    """
    if workspace.kind == "local":
        return None
    ran = workspace.run(f"(ROOT={shlex.quote(workspace.root)}; {_FIND})", 30, HARNESS_SESSION)
    if workspace.cancel.is_set():
        raise Cancelled("Interrupted while a browser was looked for.", "`swe-agent resume` continues from here.")
    lines = ran.text.split("\n")
    return BrowserPrograms(*lines[:3]) if ran.code == 0 and len(lines) >= 3 else None
