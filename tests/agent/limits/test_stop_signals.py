"""Signals that stop a run."""

from __future__ import annotations

import signal

import pytest

from agent.console.foreground_run import stop
from agent.limits.cancellation import CancellationToken, stopped_by_signals


class Run:
    cancel = CancellationToken()


def test_inherited_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopped_by_signals(lambda: stop([Run()])):
            signal.raise_signal(signal.SIGHUP)
            assert not Run.cancel.is_set()
            signal.raise_signal(signal.SIGTERM)
            assert Run.cancel.is_set()
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
