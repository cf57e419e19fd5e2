"""Checks of a patch before it is published or delivered to the user's files."""
