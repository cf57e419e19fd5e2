"""Widgets of the terminal user interface: conversation, prompt, completion, diff, status line."""
