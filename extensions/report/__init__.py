"""Reports of runs and of the code graph, as self-contained HTML pages."""

PLUGINS = {
    "agent.cli.commands": "commands",
    "agent.cli.graph_page": "graph_page",
    "agent.runs.report": "run_report",
}
REQUIRES = ("run_views",)
