"""The spending record: a hidden line that no other text can extend, end or imitate."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extensions.github.action.spend_record import END, MARK, MOST, Charge, line, read, spent
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
    st.sampled_from(["", "a" * 40, "0" * 64]),
    st.integers(0, 2**20),
)
HOSTILE = st.text() | st.sampled_from(
    ["-->", "--!>", "\n", "\r\n", f"{MARK}[]{END}", '"]]', "\\u003e", "<script>", "[1e999]"]
)


@pytest.mark.slow
@given(st.lists(CHARGES, max_size=MOST), HOSTILE)
def test_charges_are_read_back_despite_following_text(charges: list[Charge], text: str) -> None:
    for body in (f"{line(charges)}\n\n{text}", f"{line(charges)}\r\n\r\n{text}"):
        assert sorted(map(str, read(body, "here"))) == sorted(map(str, charges))


@pytest.mark.slow
@given(st.lists(CHARGES))
def test_record_is_one_hidden_comment(charges: list[Charge]) -> None:
    record = line(charges)

    assert record.startswith(MARK)
    assert record.index("-->") == len(record) - 3
    assert "--" not in record[4:-3]
    assert len(record.splitlines()) == 1
    assert len(record) < 16_000


@pytest.mark.slow
@given(HOSTILE, st.lists(CHARGES, max_size=3))
def test_record_counts_only_as_first_line(text: str, charges: list[Charge]) -> None:
    for body in (f"{text}\n{line(charges)}", f" {line(charges)}", f"> {line(charges)}"):
        if not body.startswith(MARK):
            assert read(body, "here") == ()


@pytest.mark.slow
@given(st.lists(CHARGES, min_size=1))
def test_merged_charges_cost_at_least_as_much(charges: list[Charge]) -> None:
    merged = read(line(charges), "here")

    assert len(merged) <= MOST + len({charge.pull for charge in charges})
    assert {charge.pull for charge in merged} == {charge.pull for charge in charges}
    assert spent(merged) == pytest.approx(spent(charges))
    last = max(charge.at for charge in charges)[:10]
    assert spent(merged, last) >= spent(charges, last) * (1 - 1e-9)


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
def test_damaged_record_is_refused(rows: str) -> None:
    with pytest.raises(UsageError, match="The spending record in there cannot be read"):
        read(f"{MARK}{rows}{END}\nDone.", "there")


def test_record_of_earlier_version_is_read() -> None:
    [charge] = read(f'{MARK}[["1", "{AT}", 1, null, 9, true]]{END}', "here")

    assert (charge, charge.pushed, charge.ci) == (Charge("1", AT, 1.0, pull=9, journal=True), "", 0)


def test_merged_charges_keep_count_of_followed_ci() -> None:
    charges = [Charge("1", AT, 1.0, spent=0.1, pull=9, ci=1)] * (MOST + 3)

    assert sum(charge.ci for charge in read(line(charges), "here")) == MOST + 3


def test_unsettled_charge_counts_in_full() -> None:
    reserved, settled = Charge("1", AT, 2.0), Charge("2", "2026-01-03T00:00:00Z", 2.0, spent=0.5)

    assert spent([reserved, settled]) == 2.5
    assert spent([reserved, settled], "2026-01-03") == 0.5
    assert spent([reserved, settled], "2026-01-02") == 2.0
