"""What was spent stands in a hidden line, which no text can add to, end or be taken for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.github.action.spend_record import END, MARK, MOST, Charge, line, read, spent
from trajectories.errors import UsageError

AT = "2026-01-02T03:04:05Z"
TIMES = st.datetimes().map(lambda at: f"{max(at.year, 1000)}{at.strftime('-%m-%dT%H:%M:%SZ')}")
DOLLARS = st.floats(0, 1e6)
CHARGES = st.builds(
    Charge,
    st.from_regex(r"\A[0-9]{0,20}\Z"),
    TIMES,
    DOLLARS,
    st.none() | DOLLARS,
    st.integers(0, 2**40),
    st.booleans(),
)
HOSTILE = st.text() | st.sampled_from(
    ["-->", "--!>", "\n", "\r\n", f"{MARK}[]{END}", '"]]', "\\u003e", "<script>", "[1e999]"]
)


@pytest.mark.slow
@given(st.lists(CHARGES, max_size=MOST), HOSTILE)
def test_charges_are_read_back_whatever_text_follows(charges: list[Charge], text: str) -> None:
    for body in (f"{line(charges)}\n\n{text}", f"{line(charges)}\r\n\r\n{text}"):
        assert sorted(map(str, read(body, "here"))) == sorted(map(str, charges))


@pytest.mark.slow
@given(st.lists(CHARGES))
def test_line_is_one_hidden_comment(charges: list[Charge]) -> None:
    told = line(charges)

    assert told.startswith(MARK)
    assert told.index("-->") == len(told) - 3
    assert "--" not in told[4:-3]
    assert len(told.splitlines()) == 1
    assert len(told) < 10_000


@given(HOSTILE, st.lists(CHARGES, max_size=3))
def test_line_that_is_not_first_is_text(text: str, charges: list[Charge]) -> None:
    for body in (f"{text}\n{line(charges)}", f" {line(charges)}", f"> {line(charges)}"):
        if not body.startswith(MARK):
            assert read(body, "here") == ()


@pytest.mark.slow
@given(st.lists(CHARGES, min_size=1))
def test_many_charges_cost_no_less_when_they_are_one(charges: list[Charge]) -> None:
    kept = read(line(charges), "here")

    assert len(kept) <= MOST + len({one.pull for one in charges})
    assert {one.pull for one in kept} == {one.pull for one in charges}
    assert spent(kept) == pytest.approx(spent(charges))
    last = max(one.at for one in charges)[:10]
    assert spent(kept, last) >= spent(charges, last) * (1 - 1e-9)


@pytest.mark.parametrize(
    "rows",
    [
        "[",
        "3",
        "[[]]",
        "{}x",
        '[["1", "now", 1, null, 0, false]]',
        f'[["1; rm", "{AT}", 1, null, 0, false]]',
        f'[["1", "{AT}", -1, null, 0, false]]',
        f'[["1", "{AT}", 1, -9, 0, false]]',
        f'[["1", "{AT}", NaN, null, 0, false]]',
        f'[["1", "{AT}", 1e999, null, 0, false]]',
        f'[["1", "{AT}", 1, null, 0]]',
        "[" * 100_000,
    ],
    ids=["cut", "number", "short", "more", "time", "run", "held", "spent", "nan", "much", "five", "deep"],
)
def test_ledger_that_somebody_changed_is_no_empty_one(rows: str) -> None:
    with pytest.raises(UsageError, match="The spending record in there cannot be read"):
        read(f"{MARK}{rows}{END}\nDone.", "there")


def test_what_is_not_settled_counts_whole() -> None:
    open_, settled = Charge("1", AT, 2.0), Charge("2", "2026-01-03T00:00:00Z", 2.0, spent=0.5)

    assert spent([open_, settled]) == 2.5
    assert spent([open_, settled], "2026-01-03") == 0.5
    assert spent([open_, settled], "2026-01-02") == 2.0
