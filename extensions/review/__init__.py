"""Reviews of patches: what a reviewer should look at first, and changes that a fix does not need."""

PLUGINS = {
    "agent.cli.commands": "commands",
    "agent.lifecycle.merge_review": "run_review",
    "agent.cli.patch_review": "patch_review",
    "agent.strategies": "strategies",
}
