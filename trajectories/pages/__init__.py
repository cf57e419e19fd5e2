"""The head and the common style of the HTML pages that this program writes.

A page is self-contained: it needs no network, fonts or libraries. Its content is untrusted, so its content security
policy allows only its own style and script.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html import escape
from importlib.resources import files


def part(name: str, package: str) -> str:
    """Return the text of a file in a package."""
    return files(package).joinpath(name).read_text("utf-8")


def beginning(title: str, style: str, script: str = "", kind: str = "") -> str:
    """Return the part of a page before its body, with the common style followed by `style`; the `generator` tag is near
    the start."""
    style = part("page.style.css", __name__) + style
    allowed = f"script-src '{_hash(script)}'; img-src data:; require-trusted-types-for 'script'; " if script else ""
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
    """Return the `generator` tag, which names this program and the kind of page."""
    return f'<meta name="generator" content="{f"swe-agent {kind}".strip()}">'


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"
