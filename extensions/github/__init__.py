"""GitHub: the jobs of the Action, pull requests for patches, and reviews on pull requests."""

PLUGINS = {
    "agent.cli.commands": "commands",
    "agent.lifecycle.pull_requests": "pull_request.pull_request_delivery",
    "extensions.review.posting": "github_review",
}
