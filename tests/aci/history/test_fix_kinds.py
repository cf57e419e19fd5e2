"""Kinds of fix are read off a diff and off an issue's words, alike."""

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
def test_diff_has_its_kind(diff: str, kind: str) -> None:
    assert kind in kinds_of_diff(f"--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n{diff}\n")


@pytest.mark.parametrize("diff", ["", "-gone\n", "--- a/x.py\n+++ b/x.py\n", " if x is None:\n+word\n"])
def test_what_stays_as_it_was_is_no_kind(diff: str) -> None:
    assert kinds_of_diff(diff) == ()


def test_issue_speaks_for_kinds() -> None:
    assert "a missing value is handled" in kinds_of_issue("TypeError: 'NoneType' object is not subscriptable")
    assert "a bound is moved" in kinds_of_issue("The last day is left out")
    assert kinds_of_issue("Hello") == ()
    assert len({kind.name for kind in KINDS}) == len(KINDS)
