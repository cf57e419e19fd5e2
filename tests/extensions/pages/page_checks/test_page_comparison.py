"""Pages that are compared, and the part of a patch that the tests need."""

from __future__ import annotations

from dataclasses import replace

from extensions.pages.page_checks.issue_relation import PlacedDifference
from extensions.pages.page_checks.page_comparison import _need, compare_pages
from extensions.pages.page_checks.view_differences import find_differences
from tests.extensions.pages.page_checks.views import element, page

BEFORE, AFTER = page(element("p", "Total 3")), page(element("p", "Total 4"))
BROKEN = replace(AFTER, elements=(), error="Timeout 20000ms exceeded.")


class Server:
    """A server with prepared answers."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def views(self, path, variants, pictures=False):
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [replace(answer, path=path, variant=one) for one in variants]


def is_needed(server):
    differences = find_differences(BEFORE, AFTER)
    found = _need(server, [(BEFORE, AFTER, differences)])
    return found and found(PlacedDifference(differences[0], AFTER))


def test_difference_with_the_needed_part_alone_is_needed():
    assert is_needed(Server(AFTER)) is True
    assert is_needed(Server(BEFORE)) is False


def test_page_is_opened_again_if_it_is_compiled():
    assert is_needed(Server(BROKEN, AFTER)) is True


def test_nothing_is_known_if_the_needed_part_does_not_serve_the_page():
    assert is_needed(Server(BROKEN, BROKEN)) is None


def test_page_that_always_differs_is_not_counted_as_compared():
    stable = compare_pages(Server(BEFORE), Server(AFTER), "The total is 4.")
    assert (stable.pages, stable.views, len(stable.changes)) == (1, 3, 3)
    unstable = compare_pages(Server(BEFORE, AFTER), Server(page()), "The total is 4.")
    assert (unstable.pages, unstable.views, len(unstable.changes)) == (0, 0, 0)
