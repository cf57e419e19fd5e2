"""Recorders of test results as JSON lines, for pytest and everything built on unittest.

They are copied into a workspace and run under the target's Python (3.6 and later) with the standard library only. The
environment variable SWE_AGENT_RUN names a JSON file `{"out", "root", "nodes", "cache", "limit", "rooted"}`. Without
this variable, the recorders do nothing, so nested test runs are not recorded. Every line is flushed, so that no earlier
result is lost if the process crashes or is killed. `limit` is the maximum number of seconds for a test; a test that
hangs fails, and the other tests still run. The optional `process` is a file that describes the process of a run of
single nodes, so that the extension `experiment` can call the same tests without a runner. If `rooted` is true, the ids
of pytest's tests are relative to `root` instead of pytest's own root folder.

Lines: {"start"} once per session, {"running": id} before a test, {"id", "outcome", ...} after it,
{"finish": status, "expected": number of tests to run} at the session's end.
"""
