"""Rendering of code, Markdown and diffs as styled lines."""
