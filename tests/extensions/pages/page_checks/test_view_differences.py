"""Differences between two views of a page."""

from __future__ import annotations

from dataclasses import replace

import pytest

from extensions.pages.page_checks.view_differences import find_differences, match_elements
from tests.extensions.pages.page_checks.views import element, page


def changes(before, after):
    """Return the names of the changed elements, each with its changes."""
    found = {}
    for one in find_differences(before, after):
        view = before if one.is_missing else after
        name = view.elements[one.element].name if one.element >= 0 else "page"
        found[name] = list(one.changes)
    return found


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({}, {}, {}),
        ({}, {"color": "red"}, {'p "Total"': ["color: black -> red"]}),
        ({}, {"box": (0.0, 500.0, 300.0, 20.0)}, {}),  # moved by another change
        ({}, {"box": (0.0, 0.0, 0.0, 0.0)}, {'p "Total"': ["is hidden now"]}),
        ({"opacity": "0"}, {"opacity": "0", "color": "red"}, {}),  # not visible
        ({}, {"border_top_color": "red"}, {}),  # of a border that is not there
        ({}, {"attributes": ("status", *[""] * 8)}, {'p "Total"': ['role: "" -> "status"']}),
    ],
)
def test_changes_of_one_element(old, new, expected):
    assert changes(page(element("p", "Total", **old)), page(element("p", "Total", **new))) == expected


def test_inherited_value_counts_once():
    def view(color):
        return page(element("nav", classes="main", color=color), element("a", "Home", parent=1, color=color))

    assert changes(view("black"), view("red")) == {"nav.main": ["color: black -> red"]}


def test_missing_new_and_reordered_elements():
    first, second, third = (element("li", text) for text in ("One", "Two", "Three"))
    assert changes(page(first, second, third), page(first, third)) == {'li "Two"': ["is missing"]}
    assert changes(page(first), page(first, second)) == {'li "Two"': ["is new"]}
    reordered = changes(page(first, second, third), page(second, first, third))
    assert reordered == {"body": ["its parts are in another order"]}


def test_wrapper_around_the_same_elements_is_no_difference():
    card = element("div", classes="card", border_top_width="1px", border_top_style="solid")
    before = page(card, element("h2", "Lamp", parent=1))
    after = page(element("section"), replace(card, parent=1), element("h2", "Lamp", parent=2))
    assert changes(before, after) == {}


def test_renamed_class_is_no_difference():
    assert changes(page(element("p", "Total", classes="sum")), page(element("p", "Total", classes="total"))) == {}


def test_page_as_a_whole():
    before = page(element("p", "Total"))
    assert changes(before, replace(before, width=1500.0)) == {"page": ["its content is wider than the window"]}
    assert changes(before, replace(before, errors=("x is undefined",))) == {"page": ["a script fails: x is undefined"]}
    assert changes(before, replace(before, status=500)) == {"page": ["it cannot be opened: status 500"]}
    assert changes(replace(before, error="time-out"), before) == {}


def test_matching_prefers_the_same_content():
    first, second = element("li", "One"), element("li", "Two")
    assert match_elements(page(first, second).elements, page(second).elements) == {0: 0, 2: 1}


def test_field_without_words_that_moved_is_no_difference():
    before = page(element("div"), element("textarea", parent=1))
    assert changes(before, page(element("div"), element("label", parent=1), element("textarea", parent=2))) == {}


def test_positioned_element_that_moves_differs():
    def view(x, width=100.0, position="fixed"):
        return page(element("nav", "Menu", position=position, box=(x, 0.0, width, 20.0)))

    assert [one.changes for one in find_differences(view(0), view(600))] == [("is in another place",)]
    assert find_differences(view(0), view(0, 300)) == [], "it only grows"
    assert find_differences(view(0, position="static"), view(600, position="static")) == []


def test_positioned_element_in_a_box_that_moves_is_no_difference():
    def view(top, badge):
        section = element("section", position="static", box=(0.0, top, 100.0, 20.0))
        return page(section, element("b", "3", parent=1, position="absolute", box=(90.0, badge, 10.0, 10.0)))

    assert find_differences(view(20.0, 0.0), view(60.0, 0.0)) == [], "it is placed in the window"
    assert find_differences(view(20.0, 25.0), view(60.0, 65.0)) == [], "it moves with the box"
    assert [one.changes for one in find_differences(view(20.0, 0.0), view(20.0, 15.0))] == [("is in another place",)]


def test_number_of_grid_columns_differs():
    def view(columns):
        return page(element("ul", "Lamps", grid_template_columns=columns))

    assert find_differences(view("200px 200px"), view("150px 250px")) == []
    assert [one.changes for one in find_differences(view("200px 200px"), view("400px"))] == [("grid columns: 2 -> 1",)]


def test_text_that_moves_into_a_new_element_is_no_difference():
    plain = page(element("td", "12.00"))
    wrapped = page(element("td"), element("span", "12.00", parent=1))
    assert find_differences(plain, wrapped) == find_differences(wrapped, plain) == []
    assert find_differences(plain, page(element("td"), element("span", "13.00", parent=1))) != []


@pytest.mark.parametrize(
    "more",
    [
        {"visibility": "hidden"},
        {"opacity": "0"},
        {"opacity": "0.1"},
        {"color": "white"},
        {"font_size": "1px"},
        {"text_decoration_line": "line-through"},
        {"box": (0.0, 0.0, 0.0, 0.0)},
        {"attributes": (*[""] * 5, "/cart", *[""] * 4)},
    ],
)
def test_new_element_that_hides_or_changes_its_text_differs(more):
    plain = page(element("td", "12.00"))
    wrapped = page(element("td"), element("span", "12.00", parent=1, **more))
    assert find_differences(plain, wrapped) != []
    assert find_differences(wrapped, plain) != []


def test_difference_at_the_end_of_a_long_text_is_shown():
    total = "Your order of lamps, delivered to the address above, costs 12.00"
    after = page(element("p", total.replace("12.00", "NaN")))
    (found,) = find_differences(page(element("p", total)), after)
    assert found.changes == ('text: "…ddress above, costs 12.00" -> "…ddress above, costs NaN"',)


def test_box_that_closes_elsewhere_is_the_same_box():
    border = {"border_top_width": "1px", "border_top_style": "solid"}

    def card(*parts, parent=1):
        return page(element("div", classes="card", **border), *(element("b", text, parent=parent) for text in parts))

    broken = page(
        element("div", classes="card", **border),
        element("b", "?", parent=1),
        element("b", "Knots"),
        element("b", "Hitches"),
    )
    assert find_differences(broken, card("?", "Knots", "Hitches")) == []
    outside = page(*broken.elements[1:3], element("b", "Knots", box=(0.0, 0.0, 900.0, 20.0)), element("b", "Hitches"))
    assert [one.changes for one in find_differences(card("?", "Knots", "Hitches"), outside)] == [
        ("is in another place",)
    ]
    assert [one.changes for one in find_differences(card("?", "Knots"), card("?"))] == [("is missing",)]


def test_layout_is_a_difference_only_if_something_changes_its_place_or_size():
    def view(gap, left):
        return page(element("nav", column_gap=gap), element("a", "Home", parent=1, box=(left, 0.0, 50.0, 20.0)))

    assert changes(view("20px", 0.0), view("8px", 0.0)) == {}
    assert changes(view("20px", 70.0), view("8px", 58.0)) == {"nav": ["column-gap: 20px -> 8px"]}


def test_what_a_person_could_reach_is_lost_if_it_is_missing_or_out_of_reach():
    link = replace(element("a", "Home"), is_reached=True)
    around = element("nav")
    [moved] = find_differences(page(link), page(replace(link, is_reached=False)))
    assert (moved.is_lost, moved.changes) == (True, ("can no longer be seen or used",))
    [missing] = find_differences(page(around, replace(link, parent=1)), page(around))
    assert missing.is_lost
    [unseen] = find_differences(page(replace(link, is_reached=False)), page())
    assert not unseen.is_lost
