import contextlib
import io
import os
import tempfile
import unittest

from textreport.__main__ import main
from textreport.reader import BadTable, read
from textreport.report import report

EXPECTED = """\
date        text     amount
----------  -------  ------
2024-03-01  Deposit   12.50
2024-03-01  Fee       -0.75
----------  -------  ------
carried forward: 11.75
                page 1 of 2
\f\
date        text     amount
----------  -------  ------
2024-03-02  Rent        800
2024-03-04  Refund     3.00
----------  -------  ------
sum: 814.75
                page 2 of 2
"""

BOOKINGS = [
    "date,text,amount\n",
    "2024-03-01,Deposit,12.50\n",
    "2024-03-01,Fee,-0.75\n",
    "2024-03-02,Rent,800\n",
    "2024-03-04,Refund,3.00\n",
]


def bookings(count):
    return read(["day,amount\n"] + ["{},1.00\n".format(day) for day in range(count)])


class ReportTest(unittest.TestCase):
    def test_whole_report(self):
        self.assertEqual(report(read(BOOKINGS), summed="amount", page_size=2), EXPECTED)

    def test_without_sum(self):
        text = report(read(BOOKINGS))
        self.assertNotIn("sum", text)
        self.assertEqual(text.count("2024-03"), 4)

    def test_no_rows(self):
        self.assertEqual(report(read(["day,amount\n"])), "day  amount\n---  ------\npage 1 of 1\n")

    def test_sum_of_full_pages(self):
        self.assertIn("sum: 40.00\n", report(bookings(40), summed="amount", page_size=20))

    def test_sum_with_one_row_on_the_last_page(self):
        text = report(bookings(41), summed="amount", page_size=20)
        self.assertIn("sum: 41.00\n", text)
        self.assertIn("page 3 of 3", text)

    def test_single_booking(self):
        self.assertIn("sum: 12.50\n", report(read(BOOKINGS[:2]), summed="amount"))

    def test_unknown_column(self):
        with self.assertRaises(BadTable):
            report(read(BOOKINGS), summed="price")


class CommandTest(unittest.TestCase):
    def run_on(self, lines, *options):
        handle, path = tempfile.mkstemp(suffix=".csv", text=True)
        self.addCleanup(os.unlink, path)
        with os.fdopen(handle, "w") as file:
            file.writelines(lines)
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main([path, *options])
        return status, out.getvalue(), err.getvalue()

    def test_prints_the_report(self):
        status, out, _ = self.run_on(BOOKINGS, "--sum", "amount", "--page", "2")
        self.assertEqual((status, out), (0, EXPECTED))

    def test_mistakes_are_told_in_one_line(self):
        status, out, err = self.run_on(BOOKINGS, "--sum", "price")
        self.assertEqual((status, out), (1, ""))
        self.assertEqual(err, "textreport: no column 'price'; there are date, text, amount\n")
