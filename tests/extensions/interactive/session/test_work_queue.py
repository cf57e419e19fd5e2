"""The queue of jobs: order, removal and holding."""

from threading import Thread

from extensions.interactive.session.work_queue import Job, WorkQueue


def job(words: str) -> Job:
    return Job(words, lambda: None)


def take_job(queue: WorkQueue) -> str:
    job_taken = queue.take(lambda job: None)
    assert job_taken is not None
    return job_taken.words


def test_jobs_are_taken_in_order_and_last_can_be_removed():
    queue = WorkQueue()
    for words in ("one", "", "two"):
        queue.put(job(words))
    assert queue.words == ("one", "two")
    assert queue.take_back() == "two"
    assert [take_job(queue), take_job(queue)] == ["one", ""]
    assert queue.take_back() == ""


def test_held_jobs_wait_until_release():
    queue = WorkQueue()
    for words in ("one", "", "two"):
        queue.put(job(words))
    queue.hold()
    assert take_job(queue) == ""
    assert queue.words == ("one", "two")
    queue.put(job("/model x"))
    assert take_job(queue) == "/model x"
    assert queue.words == ("one", "two")
    queue.put(job("last"))
    assert queue.release()
    assert [take_job(queue), take_job(queue), take_job(queue)] == ["one", "two", "last"]
    assert not queue.release()


def test_held_jobs_can_be_removed():
    queue = WorkQueue()
    queue.put(job("one"))
    queue.put(job("two"))
    queue.hold()
    assert [queue.take_back(), queue.take_back(), queue.take_back()] == ["two", "one", ""]


def test_jobs_held_twice_keep_order():
    queue = WorkQueue()
    queue.put(job("one"))
    queue.hold()
    queue.put(job("two"))
    queue.hold()
    queue.release()
    assert [take_job(queue), take_job(queue)] == ["one", "two"]


def test_dropped_jobs_are_not_taken():
    queue = WorkQueue()
    queue.put(job("one"))
    queue.hold()
    queue.put(job("two"))
    assert queue.drop() == ("one",)
    assert not queue.release()
    assert take_job(queue) == "two"


def test_closing_ends_wait_and_drops_later_jobs():
    queue = WorkQueue()
    taken: list[object] = []
    thread = Thread(target=lambda: taken.append(queue.take(lambda job: None)))
    thread.start()
    queue.close()
    thread.join(10)
    assert taken == [None]
    queue.put(job("late"))
    assert queue.take(lambda job: None) is None
