"""GitLab: issues with their discussion, and merge requests for patches."""

PLUGINS = {
    "agent.cli.commands": "commands",
    "agent.inputs.issue_hosts": "gitlab_input",
    "agent.lifecycle.pull_requests": "merge_request_delivery",
}
REQUIRES = ("github",)
