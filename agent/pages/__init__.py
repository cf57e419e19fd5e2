"""Styles and scripts of the pages that are written for a browser."""
