"""What is to be done next: in order, taken back, held."""

from threading import Thread

from agent.session.work_queue import Job, WorkQueue


def job(words: str) -> Job:
    return Job(words, lambda: None)


def taken(waiting: WorkQueue) -> str:
    found = waiting.take(lambda job: None)
    assert found is not None
    return found.words


def test_in_order_and_last_is_taken_back():
    waiting = WorkQueue()
    for words in ("one", "", "two"):
        waiting.put(job(words))
    assert waiting.words == ("one", "two")
    assert waiting.take_back() == "two"
    assert [taken(waiting), taken(waiting)] == ["one", ""]
    assert waiting.take_back() == ""


def test_what_is_held_waits_until_it_is_released():
    waiting = WorkQueue()
    for words in ("one", "", "two"):
        waiting.put(job(words))
    waiting.hold()
    assert taken(waiting) == ""
    assert waiting.words == ("one", "two")
    waiting.put(job("/model x"))
    assert taken(waiting) == "/model x"
    assert waiting.words == ("one", "two")
    waiting.put(job("last"))
    assert waiting.release()
    assert [taken(waiting), taken(waiting), taken(waiting)] == ["one", "two", "last"]
    assert not waiting.release()


def test_what_is_held_can_be_taken_back_too():
    waiting = WorkQueue()
    waiting.put(job("one"))
    waiting.put(job("two"))
    waiting.hold()
    assert [waiting.take_back(), waiting.take_back(), waiting.take_back()] == ["two", "one", ""]


def test_held_twice_keeps_order():
    waiting = WorkQueue()
    waiting.put(job("one"))
    waiting.hold()
    waiting.put(job("two"))
    waiting.hold()
    waiting.release()
    assert [taken(waiting), taken(waiting)] == ["one", "two"]


def test_what_is_dropped_is_not_done():
    waiting = WorkQueue()
    waiting.put(job("one"))
    waiting.hold()
    waiting.put(job("two"))
    assert waiting.drop() == ("one",)
    assert not waiting.release()
    assert taken(waiting) == "two"


def test_closing_ends_wait_and_drops_rest():
    waiting = WorkQueue()
    found: list[object] = []
    thread = Thread(target=lambda: found.append(waiting.take(lambda job: None)))
    thread.start()
    waiting.close()
    thread.join(10)
    assert found == [None]
    waiting.put(job("late"))
    assert waiting.take(lambda job: None) is None
