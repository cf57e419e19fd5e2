"""Generated report data: runs of any length, and one with hostile text in every field."""

from typing import Any

DIFF = """diff --git a/invoices/rates.py b/invoices/rates.py
index 1111111..2222222 100644
--- a/invoices/rates.py
+++ b/invoices/rates.py
@@ -10,5 +10,6 @@ def rate(country: str) -> Decimal:
     known = RATES.get(country.upper())
     if known is None:
-        return Decimal(0)
+        # Nothing is better than a wrong rate.
+        raise UnknownCountry(country)
     return known
"""
HOSTILE = (
    "</script><script>hacked = 1</script><!--<script><img src=x onerror='hacked = 1'><svg onload='hacked = 1'>"
    "<iframe src=\"javascript:parent.hacked = 1\"></iframe>{{constructor.constructor('hacked = 1')()}}"
    "javascript:hacked=1 ]]> &lt;b&gt; \x1b]8;;http://example.com/\x07link\x1b[31m \u202e\u2066 \U000e0041 \ud800 \x00"
)


def report_data(*runs: dict[str, Any], comparison: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"made": "2026-01-01T12:00:00Z", "by": "swe-agent 0.1.0", "runs": list(runs), "parting": comparison}


def step(n: int, branch: str = "main", size: int = 200) -> dict[str, Any]:
    """Every third step fails, every fifth changes a file; its output ends with a unique text."""
    lines = "    assert total(1.005) == 1.01\n" * (size // 32)
    action = {"tool": "bash", "summary": "bash pytest -q", "arguments": "command: pytest -q", "ok": n % 3 != 0}
    changed = [{"path": "invoices/rates.py", "status": "M", "diff": DIFF, "cut": False}] if n % 5 == 0 else []
    return {
        "kind": "step",
        "id": f"{branch}#{n}",
        "branch": branch,
        "n": n,
        "author": "coder",
        "at": f"2026-01-01T{9 + n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}Z",
        "phase": "",
        "text": f"I look at `rate` for the {n}th time.",
        "reasoning": f"What would {n} mean?" if n % 4 == 0 else "",
        "error": "",
        "actions": [action | {"text": f"{lines}needle-{branch}-{n} in a haystack", "out": None, "size": None}],
        "said": "",
        "files": changed,
        "usage": {"input": 1000, "cached": 800, "output": 100, "dollars": 0.01},
    }


def run(steps: int = 12, *, size: int = 200, name: str = "20260101-090000-abcdef") -> dict[str, Any]:
    """The last third of the steps is on two branches."""
    first_part = steps - steps // 3
    items: list[dict[str, Any]] = [note("phase", "repair"), *(step(n, size=size) for n in range(1, first_part + 1))]
    for n in range(1, (steps - first_part) // 2 + 1):
        items += [step(n, "main/try-1", size), step(n, "main/try-2", size)]
    verified = {
        "kind": "verified",
        "code": 0,
        "message": "",
        "words": "Verified.",
        "tone": "good",
        "fix": "",
        "seconds": 61.5,
    }
    items += [
        note("candidate", "a tree that passes", data={"score": 0.75}),
        {"kind": "exit", "ended": verified, "at": ""},
    ]
    ids = [item["id"] for item in items if item["kind"] == "step"]
    tries = [branch(f"main/try-{n}", "main", f"main#{first_part}") for n in (1, 2)]
    return {
        "name": name,
        "title": "Unknown countries are billed without tax",
        "issue": {
            "title": "Unknown countries are billed without tax",
            "body": "To repeat:\n\n```python\nrate('XX')\n```\n\nNobody sees it until the end of the year.",
            "url": "https://github.com/example/invoices/issues/12",
            "author": "mira",
            "trust": "member",
            "labels": ["bug"],
            "comments": [
                {"author": "jo", "at": "", "role": "NONE", "trust": "stranger", "about": "", "body": "With 2.675 too."}
            ],
        },
        "repository": "example/invoices",
        "base": "4f3c2d1e00",
        "strategy": "best-of",
        "model": "a-model",
        "at": "2026-01-01T09:00:00Z",
        "versions": {"swe-agent": "0.1.0"},
        "settings": {"budget": 2.0},
        "ended": verified,
        "spent": {"dollars": 0.12, "input": 12_000, "cached": 9_600, "output": 1_200, "calls": steps},
        "verdict": {
            "kind": "verified",
            "granularity": "test",
            "rows": [
                {"name": "red", "value": True, "words": "a test fails without the patch"},
                {"name": "no_loss", "value": None, "words": "the suite was not run whole"},
            ],
            "tests": ["tests/test_rates.py::test_unknown"],
            "lost": [],
            "contradicted": [],
            "flaky": ["tests/test_clock.py::test_now"],
            "checks": ["ruff"],
            "failures": ["E   UnknownCountry: XX"],
            "notes": ["The suite takes longer than the limit."],
            "commands": ["git apply patch.diff", "python -m pytest tests/test_rates.py"],
        },
        "patch": [{"path": "invoices/rates.py", "part": "source", "added": 2, "removed": 1, "diff": DIFF}],
        "plan": [{"branch": "main", "phase": "repair", "from": "main#1", "to": f"main#{first_part}"}],
        "branches": [branch("main", "", ""), *tries],
        "items": items,
        "costs": [
            {"step": id, "dollars": n / 100, "input": n * 1000, "cached": n * 800, "output": n * 100}
            for n, id in enumerate(ids, 1)
        ],
        "cut": ["3 outputs are shown by their beginning and end."],
    }


def note(kind: str, text: str, **fields: Any) -> dict[str, Any]:
    return {"kind": "note", "branch": "main", "note": kind, "text": text, "data": {}, "at": ""} | fields


def branch(name: str, parent: str, start: str) -> dict[str, Any]:
    scores = [{"kind": "score", "text": "the suite", "data": {"score": 0.5}}] if parent else []
    facts = {"steps": 2, "dollars": 0.02, "ended": "unproven" if parent else "", "scores": scores}
    return {"name": name, "parent": parent, "from": start, **facts}


def hostile(run: dict[str, Any]) -> dict[str, Any]:
    """The same run with hostile text appended to every text."""
    items = [_with_hostile_text(item) | {"kind": item["kind"]} for item in run["items"]]
    return {**_with_hostile_text(run), "items": items}


def _with_hostile_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_hostile_text(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_with_hostile_text(each) for each in value]
    return f"{value}{HOSTILE}" if isinstance(value, str) else value
