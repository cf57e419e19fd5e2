"""Delivery of a run's patch as a draft merge request on GitLab: as that of a pull request, at another destination."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from extensions.github.pull_request import pull_request_delivery
from extensions.github.pull_request.pull_request_delivery import Destination, RequestHost
from extensions.gitlab.gitlab_address import serves

if TYPE_CHECKING:
    from aci.repository.user_repository import Repository


def _find_destination(source: Repository, issue: str, commit: str) -> Destination:
    from extensions.gitlab.merge_request_destination import find_destination

    return find_destination(source, issue, commit)


GITLAB = RequestHost("GitLab", "merge request", _find_destination)
check_destination = partial(pull_request_delivery.check_destination, host=GITLAB)
deliver_request = partial(pull_request_delivery.deliver_request, host=GITLAB)
check = partial(pull_request_delivery.check, host=GITLAB)
deliver_on_request = partial(pull_request_delivery.deliver_on_request, host=GITLAB)

__all__ = ["check", "check_destination", "deliver_on_request", "deliver_request", "serves"]
