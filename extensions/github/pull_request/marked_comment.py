"""A comment that begins with a hidden mark, by which a later run finds and updates it."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from extensions.github.api.github_client import require_created, translate_errors
from extensions.github.text_escaping import cut

if TYPE_CHECKING:
    from github.IssueComment import IssueComment
    from github.PullRequestComment import PullRequestComment
    from github.Repository import Repository

LONGEST = 65_000
"""Maximum number of characters of a comment; GitHub accepts 65,536."""
MOST = 3_000
"""Maximum number of comments that are searched; an issue can have 2,500."""
CUT = "\n\n(The rest was too long.)"
NEEDS = "pull-requests: write"


def is_marked(comment: IssueComment | PullRequestComment, author: str, mark: str) -> bool:
    """Whether a comment is by this author and begins with the mark. Anybody can write the mark, so both count."""
    login = comment.user.login if comment.user else ""
    return login.casefold() == author.casefold() and (comment.body or "").startswith(mark)


def show_comment(there: Repository, number: int, author: str, mark: str, text: str, only_update: bool = False) -> str:
    """Update the author's marked comment on an issue or pull request, or create it, and return its URL.

    With `only_update` no comment is created; "" is returned if there is none.
    """
    from github import UnknownObjectException

    body = f"{mark}\n{cut(text, LONGEST - len(mark) - 1, CUT)}"
    with translate_errors(f"comment on #{number}", NEEDS):
        issue = there.get_issue(number)
        for one in islice(issue.get_comments(), MOST):
            if is_marked(one, author, mark):
                try:
                    if one.body != body:
                        one.edit(body)
                    return one.html_url
                except UnknownObjectException:  # it was deleted meanwhile
                    break
        return "" if only_update else require_created(issue.create_comment(body)).html_url
