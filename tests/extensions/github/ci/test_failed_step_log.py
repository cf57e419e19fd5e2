"""The end of a failed step's log: its lines are found by time, in bounded memory."""

from __future__ import annotations

import tracemalloc

import pytest

from extensions.github.ci.ci_runs import CiStep
from extensions.github.ci.failed_step_log import MOST_BYTES, FailedStepLog

STEP = CiStep(
    name="Run tests", conclusion="failure", started_at="2026-01-02T05:00:10Z", completed_at="2026-01-02T05:00:20Z"
)
BEFORE, DURING, AFTER = (f"2026-01-02T05:00:{second}.1234567Z " for second in ("09", "15", "21"))


def shown(text: str | bytes, *steps: CiStep, secrets: tuple[str, ...] = (), size: int = 7) -> str:
    log = FailedStepLog(steps or [STEP])
    data = text.encode() if isinstance(text, str) else text
    for start in range(0, len(data), size):
        log.add(data[start : start + size])
    return log.text(secrets)


@pytest.mark.parametrize("size", [1, 7, 1 << 16])
def test_lines_of_failed_step_are_shown_in_any_pieces(size: int) -> None:
    text = f"\ufeff{BEFORE}set up\n{DURING}##[group]Run pytest\n{DURING}1 failed\nno time\n{AFTER}clean up"

    assert shown(text, size=size) == "Run pytest\n1 failed\nno time"
    assert shown(f"\ufeff{DURING}1 failed", size=size) == "1 failed"


def test_times_with_offset_are_compared_in_utc() -> None:
    step = STEP.model_copy(
        update={"started_at": "2026-01-02T07:00:10+02:00", "completed_at": "2026-01-02T07:00:20+02:00"}
    )

    assert shown(f"{BEFORE}set up\n{DURING}1 failed\n", step) == "1 failed"


def test_whole_log_is_shown_if_no_line_is_of_step() -> None:
    assert shown(f"{BEFORE}set up\n{AFTER}The runner was lost.\n") == "set up\nThe runner was lost."
    assert shown("It failed.\n", STEP.model_copy(update={"started_at": None})) == "It failed."


def test_secret_and_private_key_are_masked_if_log_is_cut() -> None:
    key = "-----BEGIN PRIVATE KEY-----\n" + "kEyLiNe1234567890\n" * (MOST_BYTES // 18) + "-----END PRIVATE KEY-----\n"
    text = "\n".join(f"{DURING}{line}" for line in [*key.split("\n"), "token s3cret-value-123", "failed"])

    found = shown(text, secrets=("s3cret-value-123",), size=1 << 16)

    assert "kEyLiNe" not in found
    assert "s3cret" not in found
    assert found.endswith("failed")


def test_part_of_secret_at_end_of_cut_line_is_dropped() -> None:
    text = DURING + "x " * 9_995 + "s3cret-value-123 and more\n"

    assert "s3cret" not in shown(text, secrets=("s3cret-value-123",), size=1 << 16)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "size"),
    [(f"{DURING}{'x' * 900}\n".encode(), 20_000_000), (b"x" * (1 << 16), 200_000_000)],
    ids=["lines", "one line"],
)
def test_huge_log_needs_little_memory(line: bytes, size: int) -> None:
    log, piece = FailedStepLog([STEP]), line * ((1 << 16) // len(line))
    log.add(DURING.encode())
    tracemalloc.start()
    for _ in range(size // len(piece)):
        log.add(piece)
    log.add(f"\n{DURING}1 failed\n".encode())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 10_000_000
    assert log.text().endswith("1 failed")
    assert len(log.text()) <= 8_000
