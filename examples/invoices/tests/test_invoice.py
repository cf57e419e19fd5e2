import unittest
from datetime import date
from decimal import Decimal

from invoices import Invoice, Line, UnknownRate, swiss_rates


def invoice_of(day, *lines):
    invoice = Invoice("1", delivered=day, rates=swiss_rates())
    for line in lines:
        invoice.add(line)
    return invoice


class InvoiceTest(unittest.TestCase):
    def test_empty_invoice(self):
        invoice = invoice_of(date(2023, 5, 4))
        self.assertEqual(invoice.subtotal(), 0)
        self.assertEqual(invoice.taxes(), [])
        self.assertEqual(invoice.total(), 0)

    def test_one_line(self):
        invoice = invoice_of(date(2023, 5, 4), Line("Consulting", Decimal("160.00"), quantity=8))
        self.assertEqual(invoice.subtotal(), Decimal("1280.00"))
        self.assertEqual(invoice.total(), Decimal("1378.55"))

    def test_tax_is_computed_on_the_sum_of_a_rate(self):
        lines = [Line("Bread", Decimal("0.30"), kind="reduced")] * 3
        ((rate, tax),) = invoice_of(date(2023, 5, 4), *lines).taxes()
        self.assertEqual(rate.percent, Decimal("2.5"))
        self.assertEqual(tax, Decimal("0.02"))

    def test_highest_rate_comes_first(self):
        invoice = invoice_of(
            date(2019, 9, 9),
            Line("Breakfast", Decimal("20.00"), kind="reduced"),
            Line("Room", Decimal("150.00"), kind="lodging"),
            Line("Sauna", Decimal("15.00")),
        )
        self.assertEqual([str(rate.percent) for rate, _ in invoice.taxes()], ["7.7", "3.7", "2.5"])

    def test_exempt_lines_give_no_tax(self):
        invoice = invoice_of(date(2023, 5, 4), Line("Stamps", Decimal("10.00"), kind="exempt"))
        self.assertEqual(invoice.taxes(), [])
        self.assertEqual(invoice.total(), Decimal("10.00"))

    def test_last_day_of_the_old_rate(self):
        invoice = invoice_of(date(2023, 12, 31), Line("Call-out", Decimal("100.00")))
        self.assertEqual(invoice.total(), Decimal("107.70"))

    def test_first_day_of_the_new_rate(self):
        invoice = invoice_of(date(2024, 1, 1), Line("Call-out", Decimal("100.00")))
        self.assertEqual(invoice.total(), Decimal("108.10"))

    def test_second_day_of_the_new_rate(self):
        invoice = invoice_of(date(2024, 1, 2), Line("Call-out", Decimal("100.00")))
        self.assertEqual(invoice.total(), Decimal("108.10"))

    def test_goods_without_a_rate_are_refused(self):
        invoice = invoice_of(date(2023, 5, 4))
        with self.assertRaises(UnknownRate):
            invoice.add(Line("Gold", Decimal("1.00"), kind="bullion"))
        self.assertEqual(invoice.lines, [])
