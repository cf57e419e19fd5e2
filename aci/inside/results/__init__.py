"""Test results as JSON lines from pytest and all that is built on unittest. Copied into a workspace.

It runs under the target's Python (3.6 and later) with the standard library only. The environment variable
SWE_AGENT_RUN names a JSON file `{"out", "root", "nodes", "cache", "limit"}`; without it nothing is done, so
nested test runs are not recorded. Every line is flushed, so a crash or a kill keeps what was there. `limit` is how
many seconds a test may take; one that hangs fails, and the others still run.

Lines: {"start"} once a session, {"running": id} before a test, {"id", "outcome", ...} after it,
{"finish": status, "expected": tests that were to run} at the session's end.
"""
