"""Related bugs in one small repository, in the order of their issues, for `benchmarks/experience.py`.

Each bug has an issue, the edit that fixes it, and a family. Bugs of one family share a cause (the same helper, or the
same mistake in different modules) that an experienced developer would remember. Bugs of the family "" have no related
bug.
"""

from __future__ import annotations

from typing import NamedTuple


class Bug(NamedTuple):
    family: str
    path: str
    old: str
    new: str
    title: str
    body: str


FILES = {
    "shop/__init__.py": "",
    "shop/days.py": '''"""Days and spans of days."""

from datetime import date, timedelta


def parse_day(text):
    """A day as people write it: 2024-02-29 or 29.2.2024."""
    if "." in text:
        day, month, year = text.split(".")
    else:
        year, month, day = text.split("-")
    return date(int(year), int(month), int(day))


def days_between(start, end):
    """All days of a span, both ends included."""
    count = (end - start).days
    return [start + timedelta(days=n) for n in range(count)]


def is_within(day, start, end):
    """Whether a day is in a span, both ends included."""
    return start <= day < end


def last_day(year, month):
    """The last day of a month."""
    following = date(year + month // 12, month % 12 + 1, 1)
    return following - timedelta(days=2)


def week_of(day):
    """The seven days of a day's week, Monday first."""
    monday = day - timedelta(days=day.weekday())
    return [monday + timedelta(days=n) for n in range(6)]
''',
    "shop/catalog.py": '''"""Articles and what is known of them."""


class Catalog:
    """Articles by number; `defaults` is what an article has where nothing else is said."""

    def __init__(self, defaults=None):
        self.defaults = defaults or {"unit": "piece", "tags": []}
        self.articles = {}

    def add(self, number, **fields):
        """Take an article in."""
        article = dict(self.defaults)
        article.update(fields)
        self.articles[number] = article
        return article

    def tagged(self, tag):
        """Numbers of the articles with a tag."""
        return [number for number, article in self.articles.items() if tag in article["tags"]]

    def supplier_name(self, number):
        """Who delivers an article, for labels."""
        return self.articles[number].get("supplier").strip().title()

    def snapshot(self):
        """All articles as they are now."""
        return dict(self.articles)
''',
    "shop/basket.py": '''"""What a customer is about to buy."""


class Basket:
    """Lines of article number and quantity."""

    def __init__(self, lines=[]):
        self.lines = lines

    def put(self, number, quantity=1):
        """Add so many of an article."""
        self.lines.append((number, quantity))

    def total(self, price_of, voucher=None):
        """The sum in cents, a voucher taken off."""
        amount = sum(price_of(number) * quantity for number, quantity in self.lines)
        return amount - voucher.amount

    def merged(self, other):
        """This basket with another's lines behind its own."""
        both = Basket(self.lines)
        for line in other.lines:
            both.lines.append(line)
        return both
''',
    "shop/customers.py": '''"""Who buys."""


def greeting(customer):
    """How a letter to a customer begins."""
    return "Dear " + customer["title"].capitalize() + " " + customer["name"]


def discount(customer, table):
    """Per cent off for a customer's group."""
    return table.get(customer.get("group")).percent


def same(one, other):
    """Whether two records are of one person."""
    return one["email"].lower() == other["email"].lower()
''',
    "shop/sheets.py": '''"""Tables as text that spreadsheets read."""


def field(value):
    """One field, quoted where it has to be."""
    text = str(value)
    if ";" in text:
        return '"' + text + '"'
    return text


def row(values):
    """One line of a table."""
    return ";".join(field(value) for value in values)


def table(head, rows):
    """A whole table with its head."""
    return "\\n".join(row(each) for each in [head, *rows])


def parse_row(line):
    """The fields of a line."""
    return [part.strip('"') for part in line.split(";")]


def save(path, head, rows):
    """Write a table to a file."""
    with open(path, "w", encoding="ascii") as file:
        file.write(table(head, rows))
''',
    "shop/stock.py": '''"""How many there are."""


def missing(wanted, stock):
    """What is wanted and not there, by article number."""
    return {number: count - stock[number] for number, count in wanted.items() if count > stock[number]}


def reserve(stock, number, count):
    """Take so many out; False where there are not enough."""
    if stock.get(number, 0) > count:
        stock[number] -= count
        return True
    return False


def cheapest(offers):
    """The offer with the lowest price; of equals the first."""
    return sorted(offers, key=lambda offer: (offer["price"], offer["supplier"]))[0]
''',
}

BUGS = (
    Bug("span", "shop/days.py", "range(count)", "range(count + 1)",
        "Rental calendar leaves out the day of return",
        "I rent from the 3rd to the 5th and the calendar paints two days only. `days_between(date(2024, 5, 3), "
        "date(2024, 5, 5))` has the 3rd and the 4th. Both ends should be in it."),
    Bug("sharing", "shop/basket.py", "lines=[]):\n        self.lines = lines",
        "lines=()):\n        self.lines = list(lines)",
        "A new customer finds someone else's articles in the basket",
        "Open the shop in two browsers. After I put something into the first basket, the second, which is brand new, "
        "has the same article in it. It looks as if all baskets share one list."),
    Bug("nothing", "shop/customers.py", 'customer["title"].capitalize() + " " + customer["name"]',
        '(customer["title"].capitalize() + " " if customer["title"] else "") + customer["name"]',
        "Letters to customers without a title crash",
        "The title is optional in the form, so it may be None in the database.\n\n```\n"
        "AttributeError: 'NoneType' object has no attribute 'capitalize'\n```"),
    Bug("quoting", "shop/sheets.py", 'return \'"\' + text + \'"\'',
        'return \'"\' + text.replace(\'"\', \'""\') + \'"\'',
        "Export breaks when an article's name has quotation marks",
        "The article `Shelf 3\"; oak` ends up in two columns when the export is opened in a spreadsheet. The quotation "
        "mark inside the field has to be doubled."),
    Bug("span", "shop/days.py", "start <= day < end", "start <= day <= end",
        "Voucher refused on its last day",
        "A voucher is valid from the 1st to the 31st. On the 31st the checkout says it is not valid: `is_within` is "
        "False for the end of the span, the first day is fine."),
    Bug("nothing", "shop/basket.py", "return amount - voucher.amount",
        "return amount - (voucher.amount if voucher else 0)",
        "Checkout without a voucher fails",
        "Most customers have no voucher. Then total() ends with\n\n```\n"
        "AttributeError: 'NoneType' object has no attribute 'amount'\n```"),
    Bug("", "shop/stock.py", "stock.get(number, 0) > count", "stock.get(number, 0) >= count",
        "The last item can never be sold",
        "With exactly one piece on the shelf reserve(stock, 7, 1) says False, though there is enough."),
    Bug("sharing", "shop/catalog.py", "article = dict(self.defaults)",
        'article = {name: list(value) if isinstance(value, list) else value for name, value in self.defaults.items()}',
        "Tagging one article tags them all",
        "I added a tag to one article's tags, and every article that was taken in without tags of its own has it now. "
        "They seem to share the same list from the defaults."),
    Bug("quoting", "shop/sheets.py", 'if ";" in text:', 'if any(sign in text for sign in \';"\\n\'):',
        "Addresses on several lines tear the spreadsheet export apart",
        "A customer's address with a newline in it becomes two rows of the table. A field with a line break has to be "
        "put in quotation marks, as one with a semicolon is."),
    Bug("span", "shop/days.py", "timedelta(days=2)", "timedelta(days=1)",
        "Monthly statement ends a day too early",
        "The statement of January stops on the 30th, that of February on the 27th. `last_day(2024, 1)` is off by one."),
    Bug("nothing", "shop/catalog.py", 'self.articles[number].get("supplier").strip().title()',
        '(self.articles[number].get("supplier") or "").strip().title()',
        "Printing labels stops at articles that we make ourselves",
        "These have no supplier.\n\n```\nAttributeError: 'NoneType' object has no attribute 'strip'\n```\n\n"
        "An empty line on the label would be right."),
    Bug("sharing", "shop/basket.py", "both = Basket(self.lines)", "both = Basket(list(self.lines))",
        "Merging two baskets changes the first",
        "After `a.merged(b)` basket a itself has b's lines too. It must give a new basket and modify neither; the list "
        "of lines is shared between them."),
    Bug("span", "shop/days.py", "range(6)", "range(7)",
        "The week view has no Sunday",
        "Monday to Saturday are there, the last day of the week is left out: week_of gives six days instead of seven."),
    Bug("quoting", "shop/sheets.py", "[part.strip('\"') for part in line.split(\";\")]",
        "[part.replace('\"\"', '\"') for part in __import__('csv').reader([line], delimiter=';').__next__()]",
        "Import splits quoted fields at the semicolon",
        "Our own export `\"Shelf; oak\";12` comes back as three fields. What stands in quotation marks must stay one "
        "field of the row."),
    Bug("nothing", "shop/customers.py", 'table.get(customer.get("group")).percent',
        'getattr(table.get(customer.get("group")), "percent", 0)',
        "No price for customers outside any group",
        "```\nAttributeError: 'NoneType' object has no attribute 'percent'\n```\n\nThey should pay the full price."),
    Bug("sharing", "shop/catalog.py", "return dict(self.articles)",
        "return {number: dict(article) for number, article in self.articles.items()}",
        "Yesterday's snapshot shows today's prices",
        "I keep snapshot() every evening. When an article is changed in place next day, the old snapshot changes as "
        "well; the articles in it are shared with the catalog, not copied."),
    Bug("", "shop/sheets.py", 'encoding="ascii"', 'encoding="utf-8"',
        "Saving fails for customers called Müller",
        "```\nUnicodeEncodeError: 'ascii' codec can't encode character '\\xfc' in position 5\n```"),
    Bug("", "shop/stock.py", '(offer["price"], offer["supplier"])', 'offer["price"]',
        "Of equal offers the alphabet decides",
        "Two suppliers offer the same price. The first in the list should be chosen, as the docs say; instead sorting "
        "looks at the suppliers' names."),
)  # fmt: skip
