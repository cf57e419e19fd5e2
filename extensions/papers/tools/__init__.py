"""The tool `python`, which only the strategy `code-act` offers."""
