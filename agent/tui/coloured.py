"""A diff as text with colours, for dialogs; what others wrote in it is shown as it is, and as text only."""

from __future__ import annotations

from textual.content import Content

from aci.view import clean

LINES = 2000
"""Lines that a dialog shows; `/diff` shows all."""
STYLES = {"+": "$text-success on $added", "-": "$text-error on $removed", "@": "$text-primary", "\\": "$text-muted"}
HEADS = ("diff --git ", "--- ", "+++ ", "index ", "new file ", "deleted file ", "rename ", "similarity ", "old mode ")


def is_diff(text: str) -> bool:
    return any(line.startswith(("@@ ", "diff --git ")) for line in text.splitlines())


def coloured(text: str) -> Content:
    """Diff or words, cut where a dialog would have too many lines."""
    lines = clean(text).split("\n")
    rest = len(lines) - LINES
    styled = _diff(lines[:LINES]) if is_diff(text) else [Content(line) for line in lines[:LINES]]
    if rest > 0:
        styled.append(Content.styled(f"… {rest} more lines", "$text-muted"))
    return Content("\n").join(styled)


def _diff(lines: list[str]) -> list[Content]:
    styled, in_hunk = [], False
    for line in lines:
        in_hunk = line.startswith("@@") or (in_hunk and not line.startswith("diff --git "))
        style = STYLES.get(line[:1], "") if in_hunk else "bold" if line.startswith(HEADS) else ""
        styled.append(Content.styled(line.expandtabs(4), style))
    return styled
