"""URLs that are not those of an issue."""

import pytest

from agent.inputs.issue_input import issue_from
from trajectories.errors import UsageError


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/a/b",
        "https://github.com/a/b/pull/1",
        "ftp://x",
        "github.com/a/b/issues/1",
        "http://github.com/a/b/issues/1",
        "https://github.com/a/../issues/1",
        "https://github.com@evil.example/a/b/issues/1",
        "https://g\u0456thub.com/a/b/issues/1",
    ],
    ids=range(8),
)
def test_urls_of_no_issue_are_rejected(url):
    with pytest.raises(UsageError, match="not the address"):
        issue_from(url=url)
