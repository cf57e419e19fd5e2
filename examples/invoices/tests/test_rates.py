import unittest
from datetime import date
from decimal import Decimal

from invoices.rates import Rate, RateTable, UnknownRate, swiss_rates


class RateTableTest(unittest.TestCase):
    def setUp(self):
        self.table = RateTable(
            [
                Rate("books", Decimal(5), date(2020, 7, 1)),
                Rate("books", Decimal(7), date(2015, 1, 1)),
                Rate("food", Decimal(2), date(2018, 3, 1)),
            ]
        )

    def test_between_two_changes(self):
        self.assertEqual(self.table.on("books", date(2017, 6, 15)).percent, 7)

    def test_after_the_last_change(self):
        self.assertEqual(self.table.on("books", date(2024, 2, 29)).percent, 5)

    def test_day_before_a_change(self):
        self.assertEqual(self.table.on("books", date(2020, 6, 30)).percent, 7)

    def test_day_of_a_change(self):
        self.assertEqual(self.table.on("books", date(2020, 7, 1)).percent, 5)

    def test_first_day_of_the_first_rate(self):
        self.assertEqual(self.table.on("food", date(2018, 3, 1)).percent, 2)

    def test_before_the_first_rate(self):
        with self.assertRaises(UnknownRate):
            self.table.on("food", date(2018, 2, 28))

    def test_unknown_kind(self):
        with self.assertRaisesRegex(UnknownRate, "'toys' on 2024-05-01"):
            self.table.on("toys", date(2024, 5, 1))

    def test_kinds(self):
        self.assertEqual(self.table.kinds(), ["books", "food"])


class SwissRatesTest(unittest.TestCase):
    def test_normal_rate_over_the_years(self):
        rates = swiss_rates()
        percents = [str(rates.on("normal", date(year, 6, 1)).percent) for year in (2012, 2017, 2018, 2023, 2024)]
        self.assertEqual(percents, ["8.0", "8.0", "7.7", "7.7", "8.1"])

    def test_exempt_never_changed(self):
        self.assertEqual(swiss_rates().on("exempt", date(2025, 6, 1)).percent, 0)
