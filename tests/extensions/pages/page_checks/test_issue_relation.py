"""Which differences an issue asks for."""

from __future__ import annotations

from dataclasses import replace

from extensions.pages.page_checks.issue_relation import PlacedDifference, find_unasked
from extensions.pages.page_checks.page_view import Variant
from extensions.pages.page_checks.view_differences import find_differences
from tests.extensions.pages.page_checks.views import element, page

FOOTER = "All prices include VAT"


def shop(variant=Variant(), **styles):  # noqa: B008
    """A page of a shop; `button`, `banner` and `footer` are colours."""
    colors = {"button": "black", "banner": "black", "footer": "black"} | styles
    return page(
        element("section", classes="hero", color=colors["banner"]),
        element("h1", "Light for every room", parent=1, color=colors["banner"]),
        element("button", "Send message", classes="btn", color=colors["button"]),
        element("footer", FOOTER, color=colors["footer"]),
        variant=variant,
    )


def unasked(issue, before, after, find_needed=lambda: None, tests="assert text != 'undefined'"):
    """Return the names of the elements whose changes are not asked for."""
    placed = [
        PlacedDifference(one, old if one.is_missing else new)
        for old, new in zip(before, after, strict=True)
        for one in find_differences(old, new)
    ]
    found = find_unasked(issue, tests, before, placed, find_needed)
    return found if found is None else sorted({one.element.name if one.element else "page" for one in found})


def test_change_elsewhere_is_unasked_beside_one_that_fits():
    issue = "The text of the Send message button has too little contrast."
    assert unasked(issue, [shop()], [shop(button="navy")]) == []
    assert unasked(issue, [shop()], [shop(button="navy", footer="red")]) == [f'footer "{FOOTER}"']


def test_change_that_the_tests_do_not_need_is_unasked():
    issue = "Adding a second lamp does not change the number in the cart."
    assert unasked(issue, [shop()], [shop(banner="red")]) is None
    assert unasked(issue, [shop()], [shop(banner="red")], lambda: lambda one: False) == ["section.hero"]
    fits = "The footer with the VAT is hard to read."
    assert unasked(fits, [shop()], [shop(footer="red")], lambda: lambda one: False) == [f'footer "{FOOTER}"']


def test_change_that_fits_and_is_like_a_needed_one_is_asked_for():
    def view(*colors, variant=Variant()):  # noqa: B008
        return page(*(element("td", f"Price {n}", color=one) for n, one in enumerate(colors)), variant=variant)

    def is_first(placed):
        return placed.element.text == "Price 0"

    dark = Variant(dark=True)
    issue = "The prices in the cells are hard to read."
    assert unasked(issue, [view("grey", "grey")], [view("black", "black")], lambda: is_first) == []
    before, after = [view("grey", "grey"), view("grey", "grey", variant=dark)], [view("black", "grey")]
    assert unasked(issue, before, [*after, view("grey", "black", variant=dark)], lambda: is_first) == ['td "Price 1"']


def test_failures_of_pages_are_never_asked_for():
    issue = "The amount in the shopping list is wrong: 3 in place of 4."

    def view(text, **more):
        return page(element("li", text), **more)

    assert unasked(issue, [view("Amount 3")], [view("Amount NaN")]) == ['li "Amount NaN"']
    assert unasked(issue, [view("Amount 3")], [view("Amount 4")]) == []
    assert unasked(f"{issue} It says undefined.", [view("Amount 3")], [view("Amount undefined")]) == []
    assert unasked(issue, [view("Amount 3")], [view("Amount 4", errors=("x is null",))]) == ["page"]
    added = page(element("li", "Amount 3"), element("li", border_top_width="1px"), element("b", "NaN g", parent=2))
    assert unasked(issue, [view("Amount 3")], [added]) == ["li"]


def test_same_change_of_like_elements_belongs_together():
    def view(color):
        return page(
            element("button", "Send message", classes="btn", background_color=color),
            element("a", "All lamps", classes="btn", background_color=color),
        )

    assert unasked("The Send message button is too light.", [view("green")], [view("navy")]) == []


def test_variant_that_the_issue_names_counts():
    dark = Variant(dark=True)
    issue = "In dark mode, the light room cannot be read."
    assert unasked(issue, [shop(), shop(dark)], [shop(footer="red"), shop(dark, banner="white")]) == [
        f'footer "{FOOTER}"'
    ]
    vague = "The welcome text cannot be read."
    assert unasked(vague, [shop(), shop(dark)], [shop(footer="red"), shop(dark, banner="white")]) is None


def test_removed_page_and_wider_content_can_be_what_the_tests_need():
    def view(**more):
        return page(element("td", "Amount 3"), **more)

    issue, gone = "Remove the page of the archive, which 14041 readers had.", [replace(view(), status=404)]
    assert unasked(issue, [view()], gone, lambda: lambda one: True) == ["page"]
    assert unasked(issue, [view()], gone, lambda: lambda one: True, "assert status == 404") == []
    assert unasked(issue, [view()], gone, lambda: lambda one: False, "assert status == 404") == ["page"]
    wide = [replace(view(), width=1500.0)]
    issue = "Show the amount of each month."
    assert unasked(issue, [view()], wide, lambda: lambda one: True) == []
    assert unasked(issue, [view()], wide, lambda: lambda one: False) == ["page"]


def test_other_text_on_another_page_is_unasked():
    def view(path, price):
        return page(element("b", price, classes="price"), path=path)

    issue = "The price of the lamp on the cart page is 10 in place of 8."
    before, after = [view("/cart", "10"), view("/shop", "30")], [view("/cart", "8"), view("/shop", "31")]
    assert unasked(issue, before, after, lambda: lambda one: one.view.path == "/cart") == ['b.price "31"']


def test_loss_of_what_a_person_could_reach_is_asked_for_by_a_sentence_about_removal_only():
    link = replace(element("a", "Opening hours"), is_reached=True)
    before, hidden = [page(link)], [page(replace(link, is_reached=False))]
    issue = "The link Opening hours is cut off on a phone."
    needed = lambda: lambda one: True
    assert unasked(issue, before, hidden, needed) == ['a "Opening hours"']
    assert unasked(issue, before, [page()], needed) == ['a "Opening hours"']
    assert unasked("Please remove the link Opening hours.", before, [page()], needed) == []
    assert unasked("Please remove the footer. Opening hours are wrong.", before, [page()], needed) == [
        'a "Opening hours"'
    ]
    for text in (
        "Do not remove the link Opening hours.",
        "The dropdown with Opening hours is cut off.",
        "Opening hours is hidden.",
    ):
        assert unasked(text, before, [page()], needed) == ['a "Opening hours"'], text
    delete = replace(element("button", "Delete"), is_reached=True)
    assert unasked("The Delete button is cut off.", [page(delete)], [page()], needed) == ['button "Delete"']
    unreached = [page(replace(link, is_reached=False))]
    assert unasked(issue, unreached, [page()], needed) == []


def test_layout_around_what_the_tests_need_is_asked_for():
    def view(wrap, size, gap):
        header = element("header", flex_wrap=wrap, column_gap=gap, box=(0.0, 0.0, 390.0, size))
        return page(header, element("a", "Order", parent=1, flex_wrap=wrap, box=(0.0, 0.0, 100.0, size)))

    def is_link(placed):
        return placed.element.tag == "a"

    before = [view("nowrap", 20.0, "24px")]
    assert unasked("The menu is too wide.", before, [view("wrap", 40.0, "8px")], lambda: is_link) == []
    assert unasked("The menu is too wide.", before, [view("wrap", 40.0, "8px")], lambda: lambda one: False) != []
