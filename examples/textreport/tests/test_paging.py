import unittest

from textreport.paging import paginate


def sizes(count, size):
    return [len(page.rows) for page in paginate(list(range(count)), size)]


class PaginateTest(unittest.TestCase):
    def test_all_on_one_page(self):
        self.assertEqual(sizes(3, 10), [3])

    def test_full_pages(self):
        self.assertEqual(sizes(20, 10), [10, 10])
        self.assertEqual(sizes(10, 10), [10])

    def test_rest_on_the_last_page(self):
        self.assertEqual(sizes(27, 10), [10, 10, 7])
        self.assertEqual(sizes(22, 10), [10, 10, 2])

    def test_one_row_on_the_last_page(self):
        self.assertEqual(sizes(21, 10), [10, 10, 1])

    def test_single_row(self):
        self.assertEqual(sizes(1, 10), [1])

    def test_one_row_a_page(self):
        self.assertEqual(sizes(3, 1), [1, 1, 1])

    def test_no_rows_give_one_empty_page(self):
        self.assertEqual(sizes(0, 10), [0])

    def test_rows_keep_their_order(self):
        pages = paginate("abcde", 2)
        self.assertEqual([page.rows for page in pages][:2], [("a", "b"), ("c", "d")])

    def test_numbers(self):
        pages = paginate(list(range(25)), 10)
        self.assertEqual([(page.number, page.count) for page in pages], [(1, 3), (2, 3), (3, 3)])
        self.assertEqual([page.is_last for page in pages], [False, False, True])

    def test_page_without_room(self):
        with self.assertRaises(ValueError):
            paginate([1], 0)
