"""Language servers of a workspace's environment, asked for references and diagnostics."""

PLUGINS = {
    "tools.symbols.server": "symbol_references",
    "extensions.papers.edit_diagnostics": "workspace_servers",
}
