from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aci.graph.code_graph import query_graph
from aci.issue_text.issue_mentions import TITLE, Link, find_mentions, split_identifier
from aci.issue_text.issue_sections import Frame
from aci.localization.place_ranking import RankedPlaces, file_reader, rank_places
from aci.repository.file_blobs import Blobs, TreeBlobs
from tests.conftest import MakeRepo, OpenWorkspace
from tests.text_blobs import TextBlobs
from trajectories.records import Issue

FILES = {
    "src/shop/__init__.py": "",
    "src/shop/cart.py": (
        "class Cart:\n    def add(self, item):\n        self.items.append(item)\n\n"
        "    def total(self):\n        return sum(price(i) for i in self.items)\n"
    ),
    "src/shop/price.py": (
        "def price(item):\n    return item.net * (1 + vat_rate(item))\n\n\n"
        "def vat_rate(item):\n    return RATES[item.country]\n"
    ),
    "src/shop/mail.py": "def send_receipt(order):\n    body = render(order)\n    deliver(body)\n",
    "src/shop/models/order.py": "class OrderLine:\n    def quantity(self):\n        return self._quantity\n",
    "tests/test_cart.py": "from shop.cart import Cart\n\ndef test_total_of_cart():\n    assert Cart().total() == 0\n",
    "web/totals.js": "function showTotals(cart) { return cart.total }\n",
}


def locate(blobs: Blobs, issue: Issue, top: int = 10) -> RankedPlaces:
    return query_graph(blobs, None, lambda graph: rank_places(graph, issue, file_reader(graph, blobs), None, top))


def find(title: str, body: str = "", files: dict[str, str] = FILES) -> RankedPlaces:
    return locate(TextBlobs(files), Issue(title, body))


def best(title: str, body: str = "") -> tuple[str, str]:
    places = find(title, body)
    return places.files[0].path, f"{places.functions[0].path}:{places.functions[0].name}" if places.functions else ""


@pytest.mark.parametrize(
    ("title", "body", "file", "function"),
    [
        ("Total of a cart is wrong", "", "src/shop/cart.py", "src/shop/cart.py:Cart.total"),
        ("KeyError for Norway", "VAT rates are missing", "src/shop/price.py", "src/shop/price.py:vat_rate"),
        ("It fails", "Look at `shop/mail.py`.", "src/shop/mail.py", "src/shop/mail.py:send_receipt"),
        ("Cannot add", "`Cart.add` loses items", "src/shop/cart.py", "src/shop/cart.py:Cart.add"),
        ("Wrong", "shop.models.order.OrderLine.quantity() is None", "src/shop/models/order.py",
         "src/shop/models/order.py:OrderLine.quantity"),
        ("Wrong", "https://github.com/x/shop/blob/0a1b2c/src/shop/mail.py#L2", "src/shop/mail.py",
         "src/shop/mail.py:send_receipt"),
    ],
)  # fmt: skip
def test_place_described_in_issue_is_ranked_first(title: str, body: str, file: str, function: str) -> None:
    results = best(title, body)
    assert results[0] == file
    assert not function or results[1] == function


def test_class_is_ranked_by_its_statements_outside_methods() -> None:
    files = FILES | {
        "src/shop/parcel.py": (
            "class Parcel(Box):\n    heaviest = 30  # kilograms\n\n    def post(self):\n        deliver(self)\n\n\n"
            "class Letter:\n    def post(self):\n        # the heaviest allowed is 30 kilograms\n"
            "        return deliver(self)\n"
        )
    }
    places = find("The heaviest allowed is 30 kilograms", "It should be 25 kilograms.", files)
    first = places.classes[0]
    assert (first.path, first.name, first.line) == ("src/shop/parcel.py", "Parcel", 1)
    assert first.signature == "class Parcel(Box)"
    assert any("kilograms" in reason for reason in first.why)
    assert {hit.name for hit in places.functions} >= {"Parcel.post"}
    assert not {hit.name for hit in places.functions} & {"Parcel", "Letter"}


def test_functions_are_not_ranked_as_classes() -> None:
    assert {hit.name for hit in find("Total of a cart is wrong").classes} == {"Cart"}


@pytest.mark.parametrize(
    "trace",
    [
        '  File "/usr/lib/python3/site-packages/shop/price.py", line 6, in vat_rate\n    return',
        "src/shop/price.py:6: in vat_rate\n    return",
        "~/src/shop/price.py in vat_rate(item)\n      5 def",
        "File ~/code/src/shop/price.py:6, in vat_rate(item)\n",
    ],
)
def test_innermost_frame_of_traceback_is_ranked_first(trace: str) -> None:
    body = f"```\n  File \"/home/me/app.py\", line 3, in main\n{trace}\nKeyError: 'no'\n```"
    places = find("Crash with an order", body)
    assert places.files[0].path == "src/shop/price.py"
    assert "in the traceback (innermost)" in places.files[0].why
    assert (places.functions[0].name, places.functions[0].line) == ("vat_rate", 5)
    assert "in the traceback (innermost)" in places.functions[0].why


def test_test_files_are_not_ranked() -> None:
    paths = [hit.path for hit in find("test_total_of_cart fails", "total of Cart").files]
    assert "src/shop/cart.py" in paths
    assert "tests/test_cart.py" not in paths


def test_results_are_sorted_limited_and_repeatable() -> None:
    first, second = (locate(TextBlobs(FILES), Issue("cart total price item order"), top=2) for _ in range(2))
    assert (first.files, first.functions) == (second.files, second.functions)
    assert len(first.files) == len(first.functions) == 2
    assert first.files[0].score >= first.files[1].score


def test_empty_or_unrelated_issue_has_no_places() -> None:
    assert find("", "").files == ()
    assert find("Qwertz uiop").files == ()
    assert locate(TextBlobs({}), Issue("anything")).functions == ()


def test_generated_binary_and_oversized_files_are_skipped() -> None:
    odd = {
        "gen.py": "# @generated\ncart total\n",
        "lib.min.js": "cart total",
        "data.txt": "cart total",
        "huge.py": "cart = total\n" * 100_000,
        "node_modules/x.js": "cart total",
        "nul.py": "cart\0total",
        "broken.py": "def total_of_cart(:\n  pass\n",
        "deep.py": "x = " + "(" * 5000 + ")" * 5000 + "  # cart total\n",
    }
    assert {hit.path for hit in find("total of cart", files=odd).files} <= {"broken.py", "deep.py"}


@pytest.mark.slow
@given(st.text(max_size=300), st.text(max_size=2_000))
def test_any_issue_text_is_accepted(title: str, body: str) -> None:
    find(title, body)


def test_huge_issue_is_truncated() -> None:
    assert find("Total of cart", "a.b/c\\" * 2_000_000).files[0].path == "src/shop/cart.py"


def test_files_of_tree_are_ranked(make_repo: MakeRepo, open_ws: OpenWorkspace, tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {**FILES, "latin.py": "cart = 'é'".encode("latin-1"), "b.py": b"cart\0"}
    options = open_ws("local", make_repo(files)).options
    places = locate(TreeBlobs(options.trees, options.base.tree), Issue("Total of the cart is wrong"))
    assert places.files[0].path == "src/shop/cart.py"
    assert places.functions[0].name == "Cart.total"
    results = {hit.path for hit in places.files}
    assert results <= {*FILES, "latin.py"}
    assert "latin.py" in results


def test_mentions_of_every_kind_are_found() -> None:
    mentions = find_mentions(
        Issue(
            "Regression in `Foo.bar()`",
            "<!-- please fill in hidden_name -->\nSee https://github.com/a/b/blob/main/pkg/x.py#L10-L20 and "
            "https://example.com/path/file.py. In ./pkg/y.py `get_value(3)` gives pkg.sub.Thing\n"
            'File "/a/z.py", line 7, in run\nz.py:9: Error\n',
        )
    )
    assert mentions.links == (Link("pkg/x.py", 10, 20),)
    assert mentions.paths == ("pkg/y.py",)
    assert mentions.frames == (Frame("/a/z.py", 7, "run"), Frame("z.py", 9))
    assert "pkg.sub.Thing" in mentions.dotted
    assert TITLE in mentions.names["Foo"]
    assert TITLE not in mentions.names["get_value"]
    assert {"bar", "get_value"} <= mentions.called
    assert "hidden_name" not in mentions.names
    assert mentions.title["regression"] == mentions.prose["gives"] == 1


@pytest.mark.parametrize(
    ("word", "terms"),
    [
        ("sendHTTPResponse", ("sendhttpresponse", "send", "http", "response")),
        ("_snake_case", ("snake_case", "snake", "case")),
        ("simple", ("simple",)),
        ("the", ()),
        ("utf8Decoder", ("utf8decoder", "utf", "decoder")),
    ],
)
def test_identifiers_give_whole_and_split_terms(word: str, terms: tuple[str, ...]) -> None:
    assert split_identifier(word) == terms
