"""The part of prompts for tests that concerns pages: how a browser opens them, and the files that make them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING

from aci.observation.output_text import shorten
from aci.observation.untrusted_text import quote_source, quote_text
from aci.repository.test_files import is_test
from agent.engine.tool_context import has_browser

if TYPE_CHECKING:
    from agent.engine.branch import Branch

BROWSER = """\
Tests can open the project's pages in a browser, with Playwright: `from playwright.sync_api import sync_playwright` in \
Python, `import { chromium } from "playwright"` in Node. `chromium.launch()` needs no arguments, and the environment \
variable BASE_URL is the address of the project's own server, without a slash at its end, which runs beside the tests \
and may be asked. What the issue says about what \
a person sees or does, assert there, at the widths and modes and on the pages that it covers: boxes, computed styles, \
focus, what is hit at a point, roles and names. Leave open how the page achieves it."""
PAGE_FILE = re.compile(r".+\.(?:html?|css|s[ac]ss|less|jinja2?|j2|ejs|hbs|pug|twig|vue|svelte)", re.IGNORECASE)
LONGEST_FILES, LARGEST_FILE = 8_000, 200_000
"""Maximum numbers of characters of all page files together, and of bytes of one that is read."""
STYLE_FILE = re.compile(r".+\.(?:css|s[ac]ss|less)", re.IGNORECASE)
SCRIPT = re.compile(r"""<script\b[^>]*\bsrc\s*=\s*["']?(?:[^"'\s>?#]*/)?([^"'\s>?#/]+)(?<!\.min\.js)["'\s>?#]""", re.I)
"""Loads a script, whose file name it captures; scripts that were made smaller are left out."""
MOST_LISTED, MOST_READ = 20, 200
"""Maximum numbers of files that are named, and that are read."""


def describe_pages(branch: Branch) -> str:
    """Return how tests open pages, the names of the page files, and the sources of those with the most words of the
    issue, a style, a page and a script that pages load first; "" if the project has no pages, or the workspace no
    browser."""
    if not has_browser(branch):
        return ""
    trees, tree = branch.engine.trees, branch.turn.base.tree
    files = {path: entry for path, entry in trees.files(tree).items() if entry.size <= LARGEST_FILE}

    def read(paths: Iterable[str]) -> dict[str, str]:
        return {path: trees.read(tree, path).decode("utf-8", "replace") for path in islice(paths, MOST_READ)}

    paths = [path for path in trees.files(tree) if PAGE_FILE.fullmatch(path) and not is_test(path)]
    texts = read(path for path in paths if path in files)
    loaded = {name for text in texts.values() for name in SCRIPT.findall(text)}
    scripts = read(path for path in files if path.rpartition("/")[2] in loaded and not is_test(path))
    texts |= scripts
    words = _words(branch.turn.issue.text)
    likely = sorted(texts, key=lambda path: -len(words & (_words(texts[path]) | _words(path))))
    styles = [path for path in likely if STYLE_FILE.fullmatch(path)]
    pages = [path for path in likely if path not in styles and path not in scripts]
    kinds = [kind for kind in (styles, pages, [path for path in likely if path in scripts]) if kind]
    room = LONGEST_FILES
    parts: list[str] = []
    for path in (*(kind[0] for kind in kinds), *(path for kind in kinds for path in kind[1:])):
        left = len(kinds) - len(parts)
        source = shorten(texts[path], room // left) if left > 0 else texts[path]
        if 0 < len(source) <= room:
            room -= len(source)
            parts.append(quote_source(source, file=path))
    more = f" and {len(paths) - MOST_LISTED} more" if len(paths) > MOST_LISTED else ""
    listed = f"Pages and styles: {quote_text(', '.join(paths[:MOST_LISTED]))}{more}" if paths else ""
    return "\n\n".join(filter(None, [BROWSER, listed, "\n".join(parts)]))


def _words(text: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[^\W_]{3,}", text)}
