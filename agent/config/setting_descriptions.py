"""A one-line description of each setting, in the sections of `swe-agent config`."""

from __future__ import annotations

SECTIONS = {
    "Model": {
        "model": "Model that does the work.",
        "roles": "Models of single roles, such as reviewer.",
        "effort": "How much the model thinks: none to high.",
        "prompts": "Folder with prompts in place of built-in ones.",
        "first_timeout": "Seconds until a reply begins.",
        "model_timeout": "Seconds between pieces of a reply.",
        "max_reply": "Maximum size of one reply.",
    },
    "Limits of a run": {
        "budget": "Dollars.",
        "max_steps": "Number of model replies.",
        "max_tokens": "Tokens, input and output.",
        "max_time": "Seconds.",
    },
    "Work": {
        "strategy": "How issues are solved; see `strategies`.",
        "attempts": "Attempts, if the strategy makes several.",
        "rounds": "Rounds towards a proven result.",
        "delegate": "The model may delegate tasks to helpers.",
        "ask_at_plateau": "Ask when the search of `test` stalls.",
        "update_tests": "Keep changes to existing tests.",
        "exploit_test": "Publish the test of a vulnerability.",
        "merge_review": "Look for changes that the fix does not need.",
        "experience": "Learn from earlier runs in the repository.",
        "user_memory": "Show the model what you had it remember.",
        "instructions": "Read AGENTS.md and similar files, and skills.",
        "session_pairs": "Export /undo and /apply as preferences.",
        "subtree": "The only folder that may be changed.",
    },
    "Tests": {
        "test": "Test command; if not set, it is detected.",
        "serve": "Server command; if not set, it is detected.",
        "reproduce": "Test that shows the issue.",
        "test_timeout": "Seconds for one run of the tests.",
        "suite_time": "Seconds for tests unrelated to the patch.",
    },
    "Workspace": {
        "workspace": "docker, sandbox or local (not isolated).",
        "image": "Docker image; if not set, it is detected.",
        "images": "Docker images of languages, such as python3.9.",
        "memory": "Memory of a container.",
        "processes": "Processes in a container.",
        "disk": "Disk space of a container.",
        "cpus": "Processors of a container; 0: all.",
        "runtime": "Docker runtime, such as runsc.",
        "read_only": "Make the image's own files read-only.",
    },
    "Set-up of environments": {
        "setup": "Set-up command; if not set, it is detected.",
        "setup_time": "Seconds for the whole set-up.",
        "setup_env": "Variables that the set-up gets; no secrets.",
        "setup_repair": "Ask the model about a failed set-up.",
        "browser": "Add a browser; if not set, for front ends.",
        "registries": "Hosts that the set-up can reach.",
        "certificates": "PEM file that the set-up trusts.",
        "services": "Containers beside it, such as a database.",
    },
    "Delivery": {
        "apply": "Apply the patch to the working tree.",
        "branch": "Commit the patch on this new branch.",
        "pr": "Open a draft pull request.",
    },
    "Targets of optimize and test": {
        "function": "Function to make faster, or to test.",
        "workload": "Command to make faster.",
        "benchmark": "Benchmark to make faster.",
    },
    "Batches": {
        "retry_wait": "Seconds before the first retry of a request.",
        "patience": "Seconds in which a provider may reject all.",
    },
    "Storage and permissions": {
        "state": "Folder of runs and reports.",
        "permissions": "What is allowed or denied without asking.",
        "hooks": "Your programs that run at points of a run.",
        "mcp": "MCP servers whose tools a session offers.",
    },
    "Session": {
        "session.screen": "full, inline or auto.",
        "session.theme": "Colour theme; auto fits the terminal.",
        "session.mouse": "Capture the mouse.",
        "session.notify": "auto, off, bell, osc9 or osc777.",
    },
}
"""The description of each setting, by section and name. The tables `[models.NAME]` have a section of their own."""
