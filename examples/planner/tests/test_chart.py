import unittest

from planner import chart, parse

PLAN = """\
design: 4
build: 6 after design
docs: 2 after design
launch: 1 after build
party: 0 after launch
"""

EXPECTED = """\
design *  0 |####
build  *  0 |    ######
docs      5 |    ##
launch *  0 |          #
party  *  0 |           +
"""


class ChartTest(unittest.TestCase):
    def test_whole_chart(self):
        self.assertEqual(chart(parse(PLAN)), EXPECTED)

    def test_single_task(self):
        self.assertEqual(chart(parse("work: 3\n")), "work *  0 |###\n")

    def test_empty_plan(self):
        self.assertEqual(chart(parse("")), "")
