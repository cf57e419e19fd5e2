from trajectories.git_store.object_reader import LARGEST, MOST, AnswerCache


def test_oldest_answer_is_dropped() -> None:
    answers: AnswerCache[str] = AnswerCache()
    for number in range(MOST + 1):
        assert answers.keep((str(number),), f"answer {number}") == f"answer {number}"
    assert answers.get(("0",)) is None
    assert answers.get((str(MOST),)) == f"answer {MOST}"


def test_answers_above_size_limit_are_dropped() -> None:
    answers: AnswerCache[str] = AnswerCache()
    half = "x" * (LARGEST // 2)
    for name in ("a", "b", "c"):
        answers.keep((name,), half[:-1])
    assert answers.get(("a",)) is None
    assert answers.get(("b",)) == answers.get(("c",)) == half[:-1]
    assert answers.keep(("huge",), half * 3) == half * 3
    assert answers.get(("huge",)) is None


def test_empty_answer_is_cached() -> None:
    answers: AnswerCache[list[int]] = AnswerCache()
    answers.keep(("none",), [])
    assert answers.get(("none",)) == []
