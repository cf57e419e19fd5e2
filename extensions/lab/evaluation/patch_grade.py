"""The result of grading one patch by the hidden tests."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GradingResult:
    """The result of testing one patch with its instance's tests in a clean workspace.

    `f2p_*` are the tests that the gold patch makes pass, `p2p_*` those that passed before and must still pass, with the
    names that the instance uses. If the tests ran, each is in exactly one of the four tuples. Flaky tests, which passed
    and failed on the same files, are also in `flaky`.
    """

    instance: str
    resolved: bool
    """Whether every test of both kinds passes, as in SWE-bench's harness."""
    applied: bool
    """False without an `error` means that git and patch rejected the patch; the reason is in `log`."""
    f2p_ok: tuple[str, ...] = ()
    f2p_failed: tuple[str, ...] = ()
    p2p_ok: tuple[str, ...] = ()
    p2p_failed: tuple[str, ...] = ()
    error: str = ""
    """Why there is no verdict (no workspace, timeout, tests that cannot start); "" if there is one. Without a verdict,
    `resolved` is false."""
    infrastructure: bool = False
    """Whether the machine or the environment caused the error, not the patch or the instance."""
    log: str = ""
    """The tests' whole output."""
    seconds: float = 0.0
    flaky: tuple[str, ...] = ()
    workspace: str = ""
    """The kind of workspace in which the tests ran; "" if an earlier version, which did not record it, ran them."""
    script: str = ""
    """The shell commands that ran the tests, to repeat them by hand."""
