"""Prompts: issue, places, experience and history; quotation of untrusted text; parsers of answers."""
