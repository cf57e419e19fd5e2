"""Styles and scripts of the pages that are written for a browser, and how such a page begins.

A page needs nothing else: no network, no fonts, no library. What it shows is somebody's, so its own policy lets nothing
but its own style and script run.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html import escape
from importlib.resources import files


def part(name: str) -> str:
    """A file that lies here."""
    return files("trajectories.pages").joinpath(name).read_text("utf-8")


def beginning(title: str, style: str, script: str = "", kind: str = "") -> str:
    """A page up to its body, with the style of all pages and its own; near its beginning stands the `generator`."""
    style = part("page.style.css") + style
    allowed = f"script-src '{_hash(script)}'; require-trusted-types-for 'script'; " if script else ""
    policy = f"default-src 'none'; style-src '{_hash(style)}'; {allowed}base-uri 'none'; form-action 'none'"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
{generator(kind)}
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title>
<style>{style}</style>
</head>
"""


def generator(kind: str = "") -> str:
    """Whose page it is, and of which kind."""
    return f'<meta name="generator" content="{f"swe-agent {kind}".strip()}">'


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
