"""Recorders of test results as JSON lines, for pytest and everything built on unittest.

They are copied into a workspace and run under the target's Python (3.6 and later) with the standard library only. The
environment variable SWE_AGENT_RUN names a JSON file `{"out", "root", "nodes", "cache", "limit"}`. Without it they do
nothing, so nested test runs are not recorded. Every line is flushed, so that a crash or kill loses no earlier result.
`limit` is the number of seconds that a test may take; one that hangs fails, and the others still run.

Lines: {"start"} once per session, {"running": id} before a test, {"id", "outcome", ...} after it,
{"finish": status, "expected": number of tests to run} at the session's end.
"""
