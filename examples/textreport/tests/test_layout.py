import unittest

from textreport.layout import Layout, shorten
from textreport.reader import read


class ShortenTest(unittest.TestCase):
    def test_text_that_fits(self):
        self.assertEqual(shorten("abcdef", 6), "abcdef")

    def test_text_that_does_not(self):
        self.assertEqual(shorten("abcdefg", 6), "abc...")


class LayoutTest(unittest.TestCase):
    def setUp(self):
        self.layout = Layout(read(["name,n\n", "Ann,5\n", "Roberta,120\n"]))

    def test_widths(self):
        self.assertEqual(self.layout.widths, [7, 3])
        self.assertEqual(self.layout.width, 12)

    def test_numbers_stand_to_the_right(self):
        self.assertEqual(self.layout.line(("Ann", "5")), "Ann        5")

    def test_rule(self):
        self.assertEqual(self.layout.rule(), "-------  ---")

    def test_long_cells_are_cut(self):
        layout = Layout(read(["text\n", "x" * 50 + "\n"]))
        self.assertEqual(layout.widths, [30])
        self.assertTrue(layout.line(("x" * 50,)).endswith("x..."))
