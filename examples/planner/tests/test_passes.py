import unittest

from planner.passes import Slot, earliest, latest, project_end
from planner.plan import parse

ROW = "a: 2\nb: 3 after a\nc: 1 after b\n"
JOIN = "a: 2\nb: 5\nc: 1 after a, b\n"
FAN = "a: 2\nb: 5 after a\nc: 1 after a\n"
DIAMOND = "a: 2\nb: 5 after a\nc: 1 after a\nd: 3 after b, c\n"


class EarliestTest(unittest.TestCase):
    def test_one_after_the_other(self):
        self.assertEqual(earliest(parse(ROW)), {"a": Slot(0, 2), "b": Slot(2, 5), "c": Slot(5, 6)})

    def test_waits_for_the_last_to_finish(self):
        self.assertEqual(earliest(parse(JOIN))["c"], Slot(5, 6))

    def test_two_start_together(self):
        slots = earliest(parse(FAN))
        self.assertEqual((slots["b"], slots["c"]), (Slot(2, 7), Slot(2, 3)))

    def test_end(self):
        self.assertEqual(project_end(parse(FAN)), 7)
        self.assertEqual(project_end(parse("")), 0)


class LatestTest(unittest.TestCase):
    def test_one_after_the_other(self):
        self.assertEqual(latest(parse(ROW)), {"a": Slot(0, 2), "b": Slot(2, 5), "c": Slot(5, 6)})

    def test_shorter_task_may_start_later(self):
        slots = latest(parse(JOIN))
        self.assertEqual((slots["a"], slots["b"]), (Slot(3, 5), Slot(0, 5)))

    def test_loose_ends_may_last_until_the_end(self):
        slots = latest(parse("a: 2\nb: 5\n"))
        self.assertEqual((slots["a"], slots["b"]), (Slot(3, 5), Slot(0, 5)))

    def test_two_wait_for_one(self):
        slots = latest(parse(FAN))
        self.assertEqual((slots["b"], slots["c"]), (Slot(2, 7), Slot(6, 7)))
        self.assertEqual(slots["a"], Slot(0, 2))

    def test_diamond(self):
        expected = {"a": Slot(0, 2), "b": Slot(2, 7), "c": Slot(6, 7), "d": Slot(7, 10)}
        self.assertEqual(latest(parse(DIAMOND)), expected)

    def test_last_days_do_not_depend_on_the_order_of_lines(self):
        lines = DIAMOND.splitlines()
        self.assertEqual(latest(parse("\n".join(reversed(lines)))), latest(parse(DIAMOND)))
