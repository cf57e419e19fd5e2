"""GitHub: the jobs of the Action, pull requests for patches, failed CI, and reviews on pull requests."""

PLUGINS = {
    "agent.cli.commands": "commands",
    "agent.cli.failed_ci": "ci.ci_fix",
    "agent.inputs.issue_hosts": "github_input",
    "agent.lifecycle.pull_requests": "pull_request.pull_request_delivery",
    "extensions.review.posting": "github_review",
}
REQUIRES = ("replay",)
