"""A one-line description of each setting, in the sections of `swe-agent config`."""

from __future__ import annotations

SECTIONS = {
    "Model": {
        "model": "Model that does the work.",
        "roles": "Models for single roles, such as reviewer.",
        "effort": "Reasoning effort of the model.",
        "prompts": "Folder of prompts that replace built-in ones.",
        "first_timeout": "Maximum seconds until a reply begins.",
        "model_timeout": "Maximum seconds between parts of a reply.",
        "max_reply": "Maximum size of one reply, such as 64m.",
    },
    "Limits of a run": {
        "budget": "Maximum cost in dollars.",
        "max_steps": "Maximum number of model replies.",
        "max_tokens": "Maximum number of tokens, input and output.",
        "max_time": "Maximum time in seconds.",
    },
    "Work": {
        "strategy": "Strategy; `swe-agent strategies` lists all.",
        "attempts": "Number of attempts of some strategies.",
        "rounds": "Maximum number of rounds of work and proof.",
        "delegate": "Let the model delegate tasks to helpers.",
        "update_tests": "Keep changes to existing tests in the patch.",
        "in_place": "Sessions write changes to your files at once.",
        "exploit_test": "Publish the test of a vulnerability.",
        "merge_review": "List changes that the fix does not need.",
        "independent": "Judge patches by tests of an examiner.",
        "accept": "The weakest verdict with exit code 0.",
        "experience": "Learn from earlier runs in the repository.",
        "user_memory": "Give the model your facts as advice.",
        "instructions": "Read AGENTS.md and similar files, and skills.",
        "session_pairs": "Export /undo and /apply as preference pairs.",
        "subtree": "The only folder that may be changed.",
    },
    "Tests": {
        "test": "Test command; by default, it is detected.",
        "serve": "Server command; by default, it is detected.",
        "reproduce": "Test that shows the issue.",
        "test_timeout": "Maximum seconds for one run of the tests.",
        "suite_time": "Seconds for a suite; else only related tests.",
    },
    "Workspace": {
        "workspace": "Where commands run; local is not isolated.",
        "image": "Docker image; by default, it is detected.",
        "images": "Docker images by language, such as python3.9.",
        "memory": "Maximum memory of a container.",
        "processes": "Maximum number of processes in a container.",
        "disk": "Maximum disk space of a container.",
        "cpus": "Processors of a container; 0 means all.",
        "runtime": "Docker runtime, such as runsc.",
        "copy_files": "Ignored files for clones, even with secrets.",
        "read_only": "Make the image's own files read-only.",
    },
    "Set-up of environments": {
        "setup": "Set-up command; by default, it is detected.",
        "setup_time": "Maximum seconds for the whole set-up.",
        "setup_env": "Variables for the set-up, without secrets.",
        "setup_repair": "Ask the model for commands if set-up fails.",
        "browser": "Add a browser; default: for front ends.",
        "registries": "Hosts that the set-up can reach.",
        "certificates": "PEM file of certificates for the set-up.",
        "services": "Service containers, such as a database.",
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
        "patience": "Seconds until refused requests end a batch.",
    },
    "Storage and permissions": {
        "state": "Folder of runs and reports.",
        "permissions": "What is allowed or denied without asking.",
        "hooks": "Your programs that run at fixed points.",
        "mcp": "MCP servers whose tools a session offers.",
    },
    "Session": {
        "session.screen": "Use of the terminal: full, inline or auto.",
        "session.theme": "Colour theme; auto matches the terminal.",
        "session.mouse": "Capture the mouse.",
        "session.notify": "How a session notifies you.",
    },
}
"""The description of each setting, by section and name. The tables `[models.NAME]` have a section of their own."""
