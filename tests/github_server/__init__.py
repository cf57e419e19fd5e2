"""A stand-in for GitHub on loopback, with a memory: its REST API, git over HTTP, and what webhooks say.

    with Hub(tmp_path) as hub:
        repo = hub.repo("octo/calc", git=bare)
        issue = repo.issue("Title", "Body", author="ada", labels=["bug"])

Each request and each answer is held against GitHub's own description of its API (`description.json`); leaving the
block raises AssertionError for what does not keep to it, also where the client swallowed it.
"""

from tests.github_server.hub import Hub
from tests.github_server.request import Request
from tests.github_server.state import Repo, User
from tests.github_server.threads import Comment, Issue, Pull, ReviewComment

__all__ = ["Comment", "Hub", "Issue", "Pull", "Repo", "Request", "ReviewComment", "User"]
