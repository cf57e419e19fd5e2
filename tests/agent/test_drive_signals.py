"""Signals that a run heeds."""

from __future__ import annotations

import signal

from agent.drive import stopped_by_signals
from agent.engine import Token


class Run:
    cancel = Token()


def test_what_the_process_was_started_to_ignore_is_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopped_by_signals([Run()]):
            signal.raise_signal(signal.SIGHUP)
            assert not Run.cancel.is_set()
            signal.raise_signal(signal.SIGTERM)
            assert Run.cancel.is_set()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
