import unittest

from planner.graph import Cycle, followers, in_order
from planner.plan import parse


class GraphTest(unittest.TestCase):
    def test_followers(self):
        plan = parse("a: 1\nb: 1 after a\nc: 1 after a, b\n")
        self.assertEqual(followers(plan), {"a": ["b", "c"], "b": ["c"], "c": []})

    def test_a_name_given_twice_follows_once(self):
        plan = parse("a: 1\nb: 1 after a, a\n")
        self.assertEqual(followers(plan)["a"], ["b"])

    def test_order_of_work(self):
        plan = parse("c: 1 after b\nb: 1 after a\na: 1\nd: 1\n")
        self.assertEqual(in_order(plan), ["a", "d", "b", "c"])

    def test_cycle(self):
        plan = parse("a: 1\nb: 1 after c\nc: 1 after b\n")
        with self.assertRaisesRegex(Cycle, "b, c"):
            in_order(plan)
