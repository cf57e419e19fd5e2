"""Delivery of a run's patch as a draft merge request on GitLab: as that of a pull request, at another destination."""

from functools import partial

from extensions.github.pull_request import pull_request_delivery
from extensions.github.pull_request.pull_request_delivery import RequestHost
from extensions.gitlab.gitlab_address import serves
from extensions.gitlab.merge_request_destination import find_destination

TEMPLATES = (".gitlab/merge_request_templates/default.md",)
"""The template that GitLab uses by default, in lower case."""
GITLAB = RequestHost("GitLab", "merge request", find_destination, TEMPLATES)
check_destination = partial(pull_request_delivery.check_destination, host=GITLAB)
deliver_request = partial(pull_request_delivery.deliver_request, host=GITLAB)
check = partial(pull_request_delivery.check, host=GITLAB)
deliver_on_request = partial(pull_request_delivery.deliver_on_request, host=GITLAB)

__all__ = ["check", "check_destination", "deliver_on_request", "deliver_request", "serves"]
