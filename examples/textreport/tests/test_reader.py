import unittest
from decimal import Decimal

from textreport.reader import BadTable, number, read


class ReadTest(unittest.TestCase):
    def test_header_and_rows(self):
        table = read(["name,amount\n", "Ann,3\n", '"Bo, jr.",4\n'])
        self.assertEqual(table.names, ("name", "amount"))
        self.assertEqual(table.rows, (("Ann", "3"), ("Bo, jr.", "4")))

    def test_header_only(self):
        self.assertEqual(read(["name,amount\n"]).rows, ())

    def test_empty_lines_do_not_count(self):
        self.assertEqual(len(read(["a\n", "\n", "1\n", "\n"]).rows), 1)

    def test_nothing_is_no_table(self):
        with self.assertRaisesRegex(BadTable, "no header"):
            read([])

    def test_uneven_rows_are_named(self):
        with self.assertRaisesRegex(BadTable, "row 2 has 1 cells, the header has 2"):
            read(["a,b\n", "1,2\n", "1\n"])

    def test_unknown_column(self):
        with self.assertRaisesRegex(BadTable, "no column 'c'; there are a, b"):
            read(["a,b\n"]).index("c")


class NumberTest(unittest.TestCase):
    def test_numbers(self):
        self.assertEqual(number(" 12.50 "), Decimal("12.5"))
        self.assertEqual(number("-3"), -3)

    def test_others(self):
        self.assertIsNone(number(""))
        self.assertIsNone(number("12,50"))
        self.assertIsNone(number("NaN"))

    def test_column_with_gaps_is_numeric(self):
        table = read(["a,b,c\n", "1,x,\n", ",2,\n", "3,4,\n"])
        self.assertEqual([table.is_numeric(i) for i in range(3)], [True, False, False])
