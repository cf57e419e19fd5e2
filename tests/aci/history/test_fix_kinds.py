"""Kinds of fix, recognised in a diff and in the text of an issue."""

from __future__ import annotations

import pytest

from aci.history.fix_kinds import KINDS, kinds_of_diff, kinds_of_issue


@pytest.mark.parametrize(
    ("diff", "kind"),
    [
        ("-    x.strip()\n+    if x is None:\n+        return\n+    x.strip()", "a missing value is handled"),
        ("-    for n in range(n):\n+    for n in range(n + 1):", "a bound is moved"),
        ("-    if a < b:\n+    if a <= b:", "a bound is moved"),
        ("-    return a - b\n+    return a + b", "what is returned is changed"),
        ("-    x = d[k]\n+    x = d.get(k)", "a key or attribute is looked up safely"),
        ("-    open(p)\n+    open(p, encoding='utf-8')", "text is encoded or decoded"),
        ("-    return rows\n+    return copy.deepcopy(rows)", "something is copied, not shared"),
        ("+    raise ValueError(x)", "an error is raised or caught"),
    ],
)
def test_diff_has_expected_kind(diff: str, kind: str) -> None:
    assert kind in kinds_of_diff(f"--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n{diff}\n")


@pytest.mark.parametrize("diff", ["", "-gone\n", "--- a/x.py\n+++ b/x.py\n", " if x is None:\n+word\n"])
def test_diff_without_known_pattern_has_no_kind(diff: str) -> None:
    assert kinds_of_diff(diff) == ()


def test_issue_text_suggests_kinds() -> None:
    assert "a missing value is handled" in kinds_of_issue("TypeError: 'NoneType' object is not subscriptable")
    assert "a bound is moved" in kinds_of_issue("The last day is left out")
    assert kinds_of_issue("Hello") == ()
    assert len({kind.name for kind in KINDS}) == len(KINDS)
