"""Environments after Gymnasium's API, whose episodes are runs."""
