"""Earlier issues and pull requests of a repository, as they were at a date.

They are read through GitHub's GraphQL API, which needs a token: only it has the earlier states of texts.
`userContentEdits` has the whole text after each edit in `diff`, and the original as the first edit
(https://docs.github.com/en/graphql/reference/objects#usercontentedit).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aci.issue_text.issue_mentions import NUMBER
from agent.inputs.github_urls import Address
from extensions.github.api.api_errors import message
from extensions.github.api.github_client import connect, translate_errors
from extensions.github.api.hidden_text import visible_line, visible_text
from extensions.github.api.proposed_changes import CLOSES
from trajectories.errors import TryLater
from trajectories.records import PastItem

MOST_ITEMS, MOST_MORE = 40, 20
"""Maximum number of items that are asked for, and of further ones that these mention."""
AT_ONCE, MOST_PAGES = 10, 4
"""Number of items in a request, and maximum number of pages of an item's comments."""
LONGEST = 8_000
"""Maximum number of characters of an item's text."""
EDITS = "lastEditedAt userContentEdits(first: 50) { nodes { editedAt diff } }"
COMMENTS = f"pageInfo {{ hasNextPage endCursor }} nodes {{ body createdAt {EDITS} }}"
FIELDS = f"""
    number title body createdAt {EDITS}
    timelineItems(first: 50, itemTypes: [RENAMED_TITLE_EVENT]) {{
      pageInfo {{ hasNextPage }} nodes {{ ... on RenamedTitleEvent {{ createdAt previousTitle }} }}
    }}
    comments(first: 50) {{ {COMMENTS} }}
"""
ITEM = f"""
  fragment item on IssueOrPullRequest {{
    __typename
    ... on Issue {{ {FIELDS} }}
    ... on PullRequest {{ {FIELDS} mergedAt closingIssuesReferences(first: 50) {{ nodes {{ number }} }} }}
  }}
"""
MORE = f"""
  ... on Issue {{ comments(first: 50, after: $after) {{ {COMMENTS} }} }}
  ... on PullRequest {{ comments(first: 50, after: $after) {{ {COMMENTS} }} }}
"""


def fetch_past_items(address: Address, numbers: Sequence[int], before: str) -> tuple[PastItem, ...]:
    """Return the items with these numbers, and those that they mention, as they were before the date `before` (ISO 8601
    in UTC).

    Items and comments that were created later are left out, and so are those that were edited later and whose earlier
    text GitHub no longer has. A pull request is left out if it was not merged before the date, and if it closes the
    issue of `address`. Without a token, nothing is read. Raises what `translate_errors` raises.
    """
    if not address.token:
        return ()
    client = connect(address)
    try:
        with translate_errors(f"read earlier issues of {address.url}", token=address.token_name):
            reader = _Reader(client.requester, address, before)
            first = reader.items(numbers[:MOST_ITEMS])
            named = dict.fromkeys(int(n) for item in first for n in NUMBER.findall(f"{item.title}\n{item.text}"))
            return (*first, *reader.items([n for n in named if n not in numbers][:MOST_MORE]))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        what = f"GitHub gave an invalid answer when asked for earlier issues of {address.url}."
        raise TryLater(what, "Try again.") from error
    finally:
        client.close()


class _Reader:
    def __init__(self, requester: Any, address: Address, before: str) -> None:
        self._requester, self._address, self._before = requester, address, before

    def items(self, numbers: Sequence[int]) -> list[PastItem]:
        wanted = [number for number in numbers if number != self._address.number]
        found = []
        for at in range(0, len(wanted), AT_ONCE):
            some = wanted[at : at + AT_ONCE]
            fields = " ".join(f"i{number}: issueOrPullRequest(number: {number}) {{ ...item }}" for number in some)
            data = self._ask(f"query($owner: String!, $name: String!) {{ {_repository(fields)} }} {ITEM}", {})
            found += [item for number in some if (item := self._item(number, data.get(f"i{number}")))]
        return found

    def _ask(self, query: str, variables: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the repository's data. A number without an item is null there, and also an error, which is ignored."""
        owner, _, name = self._address.repository.partition("/")
        given = {"query": query, "variables": {"owner": owner, "name": name, **variables}}
        headers, answer = self._requester.requestJsonAndCheck("POST", self._requester.graphql_url, input=given)
        repository = (answer.get("data") or {}).get("repository")
        if repository is None:
            said = message(self._requester.createException(400, headers, answer))
            raise TryLater(f"GitHub does not list earlier issues of {self._address.url}: {said}", "Try again later.")
        found: Mapping[str, Any] = repository
        return found

    def _item(self, number: int, data: Any) -> PastItem | None:
        if not isinstance(data, Mapping) or not str(data["createdAt"]) < self._before:
            return None
        title, body = self._title(data), self._text(data)
        if title is None or body is None or (data["__typename"] == "PullRequest" and self._is_later(data, body)):
            return None
        text = visible_text(body).text
        for comment in self._comments(number, data["comments"]):
            if len(text) >= LONGEST:
                break
            text += f"\n\n{visible_text(comment).text}"
        return PastItem(number, visible_line(title).text, text[:LONGEST].strip())

    def _is_later(self, pull: Mapping[str, Any], body: str) -> bool:
        """Whether a pull request was not merged before the date, or closes the issue."""
        closed = [one["number"] for one in pull["closingIssuesReferences"]["nodes"]]
        number = self._address.number
        closes = rf"{CLOSES}(?:[\w./:-]*(?:#|/issues/))?{number}\b"
        said = f"{pull['title']}\n{pull['body']}\n{body}"
        is_merged = pull["mergedAt"] is not None and pull["mergedAt"] < self._before
        return not is_merged or number in closed or re.search(closes, said, re.IGNORECASE) is not None

    def _comments(self, number: int, page: Mapping[str, Any]) -> Iterator[str]:
        """Yield the texts of an item's comments, oldest first."""
        for at in range(MOST_PAGES):
            for comment in page["nodes"]:
                if not comment["createdAt"] < self._before:
                    return
                if text := self._text(comment):
                    yield text
            if not page["pageInfo"]["hasNextPage"] or at + 1 == MOST_PAGES:
                return
            fields = f"item: issueOrPullRequest(number: {number}) {{ {MORE} }}"
            query = f"query($owner: String!, $name: String!, $after: String!) {{ {_repository(fields)} }}"
            page = self._ask(query, {"after": page["pageInfo"]["endCursor"]})["item"]["comments"]

    def _text(self, data: Mapping[str, Any]) -> str | None:
        """Return a text as it was before the date; None if GitHub does not have it."""
        if not data["lastEditedAt"] or data["lastEditedAt"] < self._before:
            return str(data["body"])
        edits = (data["userContentEdits"] or {}).get("nodes") or ()
        earlier = [edit for edit in edits if edit["editedAt"] < self._before]
        return max(earlier, key=lambda edit: str(edit["editedAt"]))["diff"] if earlier else None

    def _title(self, data: Mapping[str, Any]) -> str | None:
        renamed = data["timelineItems"]
        if renamed["pageInfo"]["hasNextPage"]:
            return None
        later = [one for one in renamed["nodes"] if not one["createdAt"] < self._before]
        return str(min(later, key=lambda one: str(one["createdAt"]))["previousTitle"] if later else data["title"])


def _repository(fields: str) -> str:
    return f"repository(owner: $owner, name: $name) {{ {fields} }}"
