"""Code in a recalled problem, run in a fork, so that what it prints is known when the recollection is rated.

Rating recalled problems by running their code follows M2WF (arXiv 2501.07892). The code comes from a model that may
recall it wrongly or follow a hostile issue, so it runs only where it is isolated, and the fork is discarded.
"""

from __future__ import annotations

import shlex
from contextlib import closing
from typing import TYPE_CHECKING

from aci.issue_text.issue_snippets import find_snippets
from aci.observation.output_text import shorten
from aci.observation.secret_masking import mask_secrets

if TYPE_CHECKING:
    from aci.runtime.workspace import Workspace
    from agent.engine.branch import Branch

SECONDS = 10.0
LONGEST = 1_500
"""Maximum number of characters of output that are shown."""
SESSION = "recalled"


def recalled_output(branch: Branch, said: str) -> str:
    """Return what the Python code in an answer prints, and how it ends; "" if there is no code or no isolation."""
    code = "\n\n".join(find_snippets(said))
    if not code or branch.turn.settings.workspace == "local":
        return ""
    with closing(branch.place.fork(branch.tree)) as fork:
        return mask_secrets(run_code(fork, code), branch.engine.secrets)


def run_code(fork: Workspace, code: str, seconds: float = SECONDS) -> str:
    """Run Python code in the folder of the repository, and return its output and how it ended. The caller discards the
    fork: the code may have changed its files."""
    file = f"{fork.scratch}/recalled.py"
    fork.write(file, code.encode("utf-8", "replace"))
    python = '"$(command -v python || echo python3)"'
    command = f"cd {shlex.quote(fork.root)} && {python} {shlex.quote(file)} </dev/null"
    result = fork.run(f"({command})", seconds, SESSION)
    end = f"stopped after {seconds:.0f} s" if result.timed_out else f"exit status {result.code}"
    return f"{shorten(result.text.strip(), LONGEST) or '(no output)'}\n[{end}]"
