import unittest
from decimal import Decimal

from invoices.money import percent_of, show, to_centimes, to_five_centimes


class MoneyTest(unittest.TestCase):
    def test_halves_are_rounded_up(self):
        self.assertEqual(to_centimes(Decimal("1.005")), Decimal("1.01"))
        self.assertEqual(to_centimes(Decimal("1.0049")), Decimal("1.00"))

    def test_five_centimes(self):
        self.assertEqual(to_five_centimes(Decimal("10.02")), Decimal("10.00"))
        self.assertEqual(to_five_centimes(Decimal("10.025")), Decimal("10.05"))
        self.assertEqual(to_five_centimes(Decimal("10.07")), Decimal("10.05"))
        self.assertEqual(to_five_centimes(Decimal("10.08")), Decimal("10.10"))

    def test_percent(self):
        self.assertEqual(percent_of(Decimal("49.90"), Decimal("7.7")), Decimal("3.84"))
        self.assertEqual(percent_of(Decimal("49.90"), Decimal(0)), Decimal("0.00"))

    def test_thousands_are_set_apart(self):
        self.assertEqual(show(Decimal("1234567.5")), "1'234'567.50")
        self.assertEqual(show(Decimal("-3")), "-3.00")
