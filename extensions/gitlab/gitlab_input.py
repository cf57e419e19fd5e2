"""What the core reads from GitLab: issues with their repository."""

from extensions.gitlab.gitlab_address import serves
from extensions.gitlab.gitlab_issue import fetch_issue
from extensions.gitlab.gitlab_remotes import check_belongs, issue_url, open_checkout

__all__ = ["check_belongs", "fetch_issue", "issue_url", "open_checkout", "serves"]
