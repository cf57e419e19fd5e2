"""What the core reads from GitHub: issues with their repository, earlier items, and pull requests."""

from agent.inputs.github_urls import ADDRESS, is_known_server
from extensions.github.api.github_issue import fetch_issue
from extensions.github.api.github_remotes import issue_url
from extensions.github.api.issue_images import fetch_images
from extensions.github.api.issue_repository import check_belongs, open_checkout
from extensions.github.api.past_items import fetch_past_items
from extensions.github.api.proposed_changes import fetch_proposed_changes, open_clone

__all__ = [
    "check_belongs",
    "fetch_images",
    "fetch_issue",
    "fetch_past_items",
    "fetch_proposed_changes",
    "issue_url",
    "open_checkout",
    "open_clone",
    "serves",
]


def serves(url: str) -> bool:
    """Whether `url` is that of an issue or pull request on GitHub, or on a server that the user named."""
    match = ADDRESS.fullmatch(url.strip())
    return match is not None and is_known_server(match["server"].lower().replace("://www.", "://"))
