"""An issue on GitLab: its text, discussion, merge requests that mention it, and images."""

from __future__ import annotations

import re
import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from aci.issue_text.image_links import MOST_PICTURES, PICTURE, image_format
from aci.issue_text.issue_discussion import select_comments
from extensions.github.api.hidden_text import VisibleText, visible_line, visible_text
from extensions.gitlab.gitlab_address import GitLabAddress, address_of, find_address
from extensions.gitlab.gitlab_client import GitLabClient, is_object
from trajectories.errors import SweAgentError, TryLater, UsageError
from trajectories.records import Comment, Issue

NOBODY = "ghost"
"""The name for deleted users."""
ROLES = {10: "GUEST", 15: "PLANNER", 20: "REPORTER", 30: "DEVELOPER", 40: "MAINTAINER", 50: "OWNER"}
DEVELOPER = 30
"""The lowest access level that may push; authors who have it are members."""
MAX_COMMENT_CHARACTERS = 200_000
"""Maximum number of characters of comments that a run keeps; the most relevant comments are selected."""
FIRST_LINES, FIRST_CHARACTERS = 6, 500
"""Maximum number of lines and characters of a linked merge request."""
MAX_AUTHORS, MAX_IMAGES = 100, 8
IMAGE_SECONDS = 30
"""Maximum number of seconds for fetching all images together."""
_UPLOAD = re.compile(r"/uploads/([0-9a-f]{32})/([^/?#\s]{1,200})")
Say = Callable[[str], object]


def fetch_issue(url: str, say: Say = lambda _: None) -> Issue:
    """Return the issue at `url`, with its comments, the merge requests of its project that mention it, labels and
    images. Internal comments are left out, because readers of a run's output may not see them.

    `say` is called if the issue has moved or comments were not read. Raises UsageError if `url` is not an issue,
    ConfigError for a missing permission, TryLater if GitLab does not answer or its rate limit is reached. The token is
    sent only to the server of `url`.
    """
    address = address_of(url)
    with GitLabClient(address) as client:
        data = read_issue(client, address)
        now = find_address(str(data.get("web_url") or ""))
        if now is None or now.server != address.server:
            now = address
        if now.issue_url.lower() != address.issue_url.lower():
            say(f"{address.issue_url} has moved to {now.issue_url}.")
        what, place = f"read {now.issue_url}", f"{now.path}/issues/{now.number}"
        notes, is_whole = client.pages(f"{place}/notes", what, sort="asc", order_by="created_at")
        if not is_whole:
            say(f"Only the first {len(notes)} comments were read.")
        notes = [note for note in notes if not (note.get("system") or note.get("internal") or note.get("confidential"))]
        listed = client.get(f"{place}/related_merge_requests", what)
        related = [item for item in listed if is_object(item, project_id=int)] if isinstance(listed, list) else []
        related = [item for item in related if item["project_id"] == data.get("project_id")]
        levels = _access_levels(client, now, [data, *notes, *related], say)
        said = [_comment(note, levels, f"{now.issue_url}#note_{note.get('id')}") for note in notes]
        linked = [_linked(item, levels) for item in related]
        kept = select_comments(
            sorted([*said, *linked], key=lambda each: each.at), MAX_COMMENT_CHARACTERS, longest=MAX_COMMENT_CHARACTERS
        )
        title, body = visible_line(str(data["title"])), visible_text(str(data.get("description") or ""))
        if not title.text and not body.text.strip():
            fix = "Describe what goes wrong and what should happen."
            raise UsageError(f"The issue at {now.issue_url} is empty.", fix)
        labels = data.get("labels")
        issue = Issue(
            title=title.text,
            body=str(VisibleText(body.text, title.removed + body.removed)),
            url=now.issue_url,
            author=_author(data),
            trust="member" if levels.get(_author_id(data), 0) >= DEVELOPER else "stranger",
            labels=tuple(visible_line(str(label)).text for label in labels) if isinstance(labels, list) else (),
            comments=kept,
        )
        return replace(
            issue, images=_images(client, now, [issue.body, *(each.body for each in kept if not each.about)])
        )


def read_issue(client: GitLabClient, address: GitLabAddress) -> dict[str, Any]:
    """Return the JSON of the issue at `address`. Raises UsageError if the issue was moved to another project, and what
    `GitLabClient.get` raises."""
    data = client.get(f"{address.path}/issues/{address.number}", f"read {address.issue_url}")
    if not is_object(data, title=str, iid=int):
        raise TryLater(f"GitLab's answer for {address.issue_url} is not an issue.", "Try again.")
    if data.get("moved_to_id"):
        fix = "Its page links to the new issue: use the address of that one."
        raise UsageError(f"The issue at {address.issue_url} was moved to another project.", fix)
    return dict(data)


def _access_levels(
    client: GitLabClient, address: GitLabAddress, items: Iterable[Mapping[str, Any]], say: Say
) -> dict[int, int]:
    """Return the access levels in the project of the authors of these items, by user id. Without access to the list
    of members, no one is a member, and `say` reports it."""
    ids = list(dict.fromkeys(filter(None, map(_author_id, items))))[:MAX_AUTHORS]
    try:
        members, _ = client.pages(f"{address.path}/members/all", "read the project's members", **{"user_ids[]": ids})
    except SweAgentError as error:
        say(f"All authors count as strangers, because their roles were not read. {error.message}")
        return {}
    levels = ((member.get("id"), member.get("access_level")) for member in members if member.get("state") == "active")
    return {id: level for id, level in levels if isinstance(id, int) and isinstance(level, int) and id in ids}


def _comment(note: Mapping[str, Any], levels: Mapping[int, int], url: str, about: str = "") -> Comment:
    level = levels.get(_author_id(note), 0)
    return Comment(
        author=_author(note),
        body=str(visible_text(str(note.get("body") or ""))),
        at=_time(note.get("created_at")),
        role=ROLES.get(level, "NONE"),
        trust="member" if level >= DEVELOPER else "stranger",
        about=about,
        url=url,
    )


def _linked(item: Mapping[str, Any], levels: Mapping[int, int]) -> Comment:
    """Return a merge request that mentions the issue: its title, state and first lines."""
    title = visible_line(str(item.get("title"))).text
    about = f"!{item.get('iid')}, {item.get('state')} merge request: {title}"
    comment = _comment({**item, "body": item.get("description")}, levels, str(item.get("web_url") or ""), about)
    lines = [line for line in comment.body.splitlines() if line.strip()]
    body = "\n".join(lines[:FIRST_LINES])
    return replace(comment, body=body if len(body) <= FIRST_CHARACTERS else f"{body[:FIRST_CHARACTERS]}…")


def _images(client: GitLabClient, address: GitLabAddress, texts: Iterable[str]) -> tuple[str, ...]:
    """Return the images that the project stores and to which the texts refer, as `data:` URLs. Strangers choose the
    URLs, so images are read through the API of the project only. Those that cannot be read are left out."""
    urls = dict.fromkeys(first or second for text in texts for first, second in PICTURE.findall(text))
    own = "/uploads/", f"{address.url}/", f"{address.server}/-/project/"
    names = [match.groups() for url in urls if (match := _UPLOAD.search(url)) and url.startswith(own)]
    images: list[str] = []
    room, until = MOST_PICTURES, time.monotonic() + IMAGE_SECONDS
    for secret, name in list(dict.fromkeys(names))[:MAX_IMAGES]:
        try:
            path = f"{address.path}/uploads/{secret}/{quote(name, safe='%')}"
            data = client.read(path, "read an image") if time.monotonic() < until else b""
        except SweAgentError:
            continue
        if len(data) <= room and (kind := image_format(data)):
            room -= len(data)
            images.append(f"data:image/{kind};base64,{b64encode(data).decode()}")
    return tuple(images)


def _author(data: Mapping[str, Any]) -> str:
    author = data.get("author")
    return visible_line(str(author.get("username") or NOBODY)).text if isinstance(author, Mapping) else NOBODY


def _author_id(data: Mapping[str, Any]) -> int:
    author = data.get("author")
    id = author.get("id") if isinstance(author, Mapping) else 0
    return id if isinstance(id, int) else 0


def _time(value: object) -> str:
    """Return a time of GitLab's, such as `2026-01-31T12:00:00.000+01:00`, in the form of records: in UTC, without
    fractions of a second."""
    try:
        return f"{datetime.fromisoformat(str(value)).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError):
        return ""
