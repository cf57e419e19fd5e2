"""Which differences an issue asks for."""

from __future__ import annotations

from aci.page_checks.issue_relation import PlacedDifference, find_unasked
from aci.page_checks.page_view import Variant
from aci.page_checks.view_differences import find_differences
from tests.aci.page_checks.views import element, page

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


def unasked(issue, before, after, find_needed=lambda: None):
    """Return the names of the elements whose changes are not asked for."""
    placed = [
        PlacedDifference(one, new) for old, new in zip(before, after, strict=True) for one in find_differences(old, new)
    ]
    return sorted({one.element.name for one in find_unasked(issue, before, placed, find_needed)})


def test_change_elsewhere_is_unasked_beside_one_that_fits():
    issue = "The text of the Send message button has too little contrast."
    assert unasked(issue, [shop()], [shop(button="navy")]) == []
    assert unasked(issue, [shop()], [shop(button="navy", footer="red")]) == [f'footer "{FOOTER}"']


def test_single_change_is_asked_for_only_if_the_tests_need_it():
    issue = "Adding a second lamp does not change the number in the cart."
    assert unasked(issue, [shop()], [shop(banner="red")]) == []
    assert unasked(issue, [shop()], [shop(banner="red")], lambda: lambda one: False) == ["section.hero"]
    fits = "The footer with the VAT is hard to read."
    assert unasked(fits, [shop()], [shop(footer="red")], lambda: lambda one: False) == []


def test_same_change_of_like_elements_belongs_together():
    def view(color):
        return page(
            element("button", "Send message", classes="btn", background_color=color),
            element("a", "All lamps", classes="btn", background_color=color),
        )

    assert unasked("The Send message button is too light.", [view("green")], [view("navy")]) == []


def test_variant_that_the_issue_names_counts():
    dark = Variant(dark=True)
    issue = "In dark mode the welcome text cannot be read."
    assert unasked(issue, [shop(), shop(dark)], [shop(), shop(dark, banner="white")]) == []
