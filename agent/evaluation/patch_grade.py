"""What the hidden tests say of one patch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Graded:
    """One patch after its instance's tests, in a clean workspace.

    `f2p_*` are the tests that the gold patch makes pass, `p2p_*` those that passed before it and have to go on passing,
    by name, as the instance spells them; each is in exactly one tuple where the tests were run. Flaky ones are named in
    `flaky` as well: they passed and failed on the same files.
    """

    instance: str
    resolved: bool
    """Every test of both kinds passes, as in SWE-bench's harness."""
    applied: bool
    """False without an `error`: git and patch both refuse the patch; that is a verdict, and `log` says why."""
    f2p_ok: tuple[str, ...] = ()
    f2p_failed: tuple[str, ...] = ()
    p2p_ok: tuple[str, ...] = ()
    p2p_failed: tuple[str, ...] = ()
    error: str = ""
    """Why there is no verdict (no workspace, time over, tests that cannot start), else ""; then `resolved` is false."""
    infrastructure: bool = False
    """The error is of the machine or the environment, not of the patch or the instance."""
    log: str = ""
    """The text the tests printed, whole."""
    seconds: float = 0.0
    flaky: tuple[str, ...] = ()
    script: str = ""
    """The shell commands that ran the tests, to repeat them by hand."""
