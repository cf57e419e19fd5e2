import unittest

from planner import critical_path, parse, slack

RELEASE = """\
design: 5
build: 10 after design
manual: 3 after design
test: 4 after build
print: 2 after manual
launch: 1 after test, print
"""


class SlackTest(unittest.TestCase):
    def test_a_single_row_has_none(self):
        self.assertEqual(slack(parse("a: 2\nb: 3 after a\n")), {"a": 0, "b": 0})

    def test_shorter_task_has_some(self):
        self.assertEqual(slack(parse("a: 2\nb: 5\nc: 1 after a, b\n")), {"a": 3, "b": 0, "c": 0})

    def test_release(self):
        expected = {"design": 0, "build": 0, "manual": 9, "test": 0, "print": 9, "launch": 0}
        self.assertEqual(slack(parse(RELEASE)), expected)

    def test_milestones_take_no_time(self):
        self.assertEqual(slack(parse("a: 3\nready: 0 after a\nb: 2 after ready\n")), {"a": 0, "ready": 0, "b": 0})

    def test_slack_is_what_a_task_may_take_longer(self):
        plan = "a: 2\nb: {} after a\nc: 7 after a\nd: 1 after b\n"
        self.assertEqual(slack(parse(plan.format(4)))["b"], 2)
        self.assertEqual(slack(parse(plan.format(6)))["b"], 0)


class CriticalPathTest(unittest.TestCase):
    def test_goes_through_the_longest_row(self):
        self.assertEqual(critical_path(parse(RELEASE)), ["design", "build", "test", "launch"])

    def test_is_in_the_order_of_work(self):
        self.assertEqual(critical_path(parse("b: 3 after a\na: 2\n")), ["a", "b"])

    def test_equal_rows_are_both_critical(self):
        self.assertEqual(critical_path(parse("a: 2\nb: 2\nc: 1 after a, b\n")), ["a", "b", "c"])
