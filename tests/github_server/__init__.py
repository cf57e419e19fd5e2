"""A fake GitHub server on loopback that keeps state: its REST API, git over HTTP, and the payloads of webhooks.

    with Hub(tmp_path) as hub:
        repo = hub.repo("octo/calc", git=bare)
        issue = repo.issue("Title", "Body", author="ada", labels=["bug"])

Each request and each answer is checked against GitHub's own description of its API (`description.json`). Leaving the
block raises AssertionError for violations, even if the client swallowed an error.
"""

from tests.github_server.hub import Hub
from tests.github_server.request import Request
from tests.github_server.state import Repo, User
from tests.github_server.threads import Comment, Issue, Pull, ReviewComment

__all__ = ["Comment", "Hub", "Issue", "Pull", "Repo", "Request", "ReviewComment", "User"]
