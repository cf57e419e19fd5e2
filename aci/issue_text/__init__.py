"""Parsing of an issue's text: sections, tracebacks, mentions, snippets and search terms."""
