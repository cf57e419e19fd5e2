"""Prompts: issue, places and history; quotation of untrusted text; parsers of answers."""
