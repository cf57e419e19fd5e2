import unittest
from datetime import date
from decimal import Decimal

from invoices import Invoice, Line, render, swiss_rates

EXPECTED = """\
Invoice 2023-117
Delivered 04.05.2023
--------------------------------------------------------
8 x Consulting                                  1'280.00
25 x Manual                                       500.00
  discount                                        -25.00
Travel                                             36.40
--------------------------------------------------------
Subtotal                                        1'791.40
VAT 7.7 %                                         101.36
VAT 2.5 %                                          11.88
Total CHF                                       1'904.65
"""


class RenderTest(unittest.TestCase):
    def test_whole_invoice(self):
        invoice = Invoice("2023-117", delivered=date(2023, 5, 4), rates=swiss_rates())
        invoice.add(Line("Consulting", Decimal("160.00"), quantity=8))
        invoice.add(Line("Manual", Decimal("20.00"), quantity=25, kind="reduced"))
        invoice.add(Line("Travel", Decimal("36.40")))
        self.assertEqual(render(invoice), EXPECTED)

    def test_rates_of_new_years_day(self):
        invoice = Invoice("2024-001", delivered=date(2024, 1, 1), rates=swiss_rates())
        invoice.add(Line("Call-out", Decimal("100.00")))
        invoice.add(Line("Manual", Decimal("20.00"), kind="reduced"))
        text = render(invoice)
        self.assertIn("VAT 8.1 %", text)
        self.assertIn("VAT 2.6 %", text)

    def test_long_texts_are_cut(self):
        invoice = Invoice("1", delivered=date(2023, 5, 4), rates=swiss_rates())
        invoice.add(Line("word " * 30, Decimal("5.00")))
        self.assertTrue(all(len(row) <= 56 for row in render(invoice).splitlines()))
