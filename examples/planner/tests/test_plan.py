import unittest

from planner.plan import BadPlan, Task, parse


class ParseTest(unittest.TestCase):
    def test_tasks(self):
        plan = parse("design: 5\nbuild: 10 after design\n")
        self.assertEqual(plan["design"], Task("design", 5))
        self.assertEqual(plan["build"], Task("build", 10, ("design",)))

    def test_several_earlier_tasks(self):
        plan = parse("a: 1\nb: 2\nlast of all: 3 after a, b\n")
        self.assertEqual(plan["last of all"].after, ("a", "b"))

    def test_comments_and_empty_lines(self):
        self.assertEqual(list(parse("# our plan\n\na: 1  # first\n  b: 2\n")), ["a", "b"])

    def test_empty_plan(self):
        self.assertEqual(len(parse("")), 0)

    def test_lines_that_cannot_be_read(self):
        with self.assertRaisesRegex(BadPlan, "line 2"):
            parse("a: 1\nb = 2\n")

    def test_names_must_differ(self):
        with self.assertRaisesRegex(BadPlan, "'a' is there twice"):
            parse("a: 1\na: 2\n")

    def test_unknown_earlier_task(self):
        with self.assertRaisesRegex(BadPlan, "'a' waits for 'b'"):
            parse("a: 1 after b\n")
