import unittest
from decimal import Decimal

from invoices.lines import Line, quantity_discount


class LineTest(unittest.TestCase):
    def test_small_quantities_cost_the_full_price(self):
        line = Line("Cable", Decimal("12.50"), quantity=19)
        self.assertEqual(line.discount, 0)
        self.assertEqual(line.net, Decimal("237.50"))

    def test_discount_starts_with_its_minimum(self):
        self.assertEqual([quantity_discount(n) for n in (1, 19, 20, 99, 100, 500)], [0, 0, 5, 5, 10, 10])

    def test_discount_is_taken_off(self):
        line = Line("Cable", Decimal("12.50"), quantity=20)
        self.assertEqual(line.gross, Decimal("250.00"))
        self.assertEqual(line.discount, Decimal("12.50"))
        self.assertEqual(line.net, Decimal("237.50"))

    def test_nothing_cannot_be_sold(self):
        with self.assertRaises(ValueError):
            Line("Cable", Decimal("12.50"), quantity=0)
