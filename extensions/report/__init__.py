"""Reports of runs and of the code graph, as self-contained HTML pages."""

PLUGINS = {
    "agent.cli.commands": "commands",
    "agent.runs.report": "run_report",
    "extensions.code_search.graph_page": "graph_page",
}
