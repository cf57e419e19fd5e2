"""A fake GitLab server on loopback that keeps state: its REST API, and git over HTTP.

    with GitLab(tmp_path) as server:
        project = server.project("group/sub/calc", git=bare)
        issue = project.issue("Title", "Body", author="ada")

Each request and each answer is checked against a description of GitLab's API (`description.json`). Leaving the block
raises AssertionError for violations, even if the client swallowed an error.
"""

from tests.gitlab_server.state import GitLab, Issue, MergeRequest, Project

__all__ = ["GitLab", "Issue", "MergeRequest", "Project"]
