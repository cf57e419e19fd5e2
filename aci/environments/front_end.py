"""Detection of a front end: whether a repository has pages that a browser shows, from its manifests and file names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from aci.environments.environment_plan import Files

_ASIDE = re.compile(
    r"(?:^|/)(?:doc|docs[\w-]*|documentation|website|gh-pages|_\w+|examples?|samples?|demos?|tutorials?|tests?|__\w+__|specs?"
    r"|e2e|fixtures?|test-?data|bench(?:marks?)?|vendor|third[_-]?party|node_modules|dist|build|coverage|javadoc|\.\w+"
    r")/",
    re.IGNORECASE,
)
"""Folders whose pages are not those of the project: documentation, tests, what is built, and what others wrote."""

_PACKAGES = frozenset(
    (
        *("react-dom", "preact", "vue", "svelte", "@angular/core", "solid-js", "lit", "ember-source", "jquery"),
        *("next", "nuxt", "gatsby", "astro", "@sveltejs/kit", "react-scripts", "vite", "parcel", "webpack-dev-server"),
        *("playwright", "playwright-core", "@playwright/test", "puppeteer", "puppeteer-core", "karma", "cypress"),
    )
)
_NO_PAGES = frozenset(("react-native", "ink"))
"""Packages that show React's elements elsewhere than in a browser."""

_SERVERS = r"flask|django|quart|fastapi|starlette|tornado|bottle|pyramid|aiohttp|sanic"
_PYTHON_SERVER = re.compile(rf"(?im)^[^#\n]*?(?<![\w-])({_SERVERS})(?![\w-])")
_NODE_SERVERS = frozenset(("express", "koa", "fastify", "@hapi/hapi"))
_PYTHON_MANIFEST = re.compile(
    r"(?:[^/]+/)?(?:pyproject\.toml|setup\.(?:py|cfg)|Pipfile|(?:requirements/)?[\w-]*requirements[\w-]*\.txt)"
)
_TEMPLATE = re.compile(r"(?:^|.*/)(?:templates|views)/.*\.(?:html?|jinja2?|html\.j2|ejs|hbs|pug|twig)")
_PAGE = re.compile(r"(?:[^/]+/){0,2}[^/]+\.html?", re.IGNORECASE)
_ACTIVE = re.compile(rb"<(?:script|style|link)\b", re.IGNORECASE)
_NODE_START = re.compile(r"(?<![\w./-])(?:node|nodemon|tsx|ts-node|bun|deno)\s")
_WRITER = re.compile(r".+(?<!\.d)\.[cm]?[jt]s")
_WRITER_NAME = re.compile(r"layout|views?\b|page|template|html|server|render", re.IGNORECASE)
_WRITTEN = re.compile(rb"<!doctype html", re.IGNORECASE)
_MOST_FILES = 20


def has_front_end(files: Files) -> bool:
    """Return whether the repository has pages that a browser shows. See `find_front_end`."""
    return bool(find_front_end(files))


def find_front_end(files: Files) -> str:
    """Return what shows that the repository has a front end, as the beginning of a sentence; "" if nothing does.

    Reads a few small files. Pages of the documentation and of tests do not count.
    """
    paths = [path for path in files if not _ASIDE.search(path)]
    manifests = _shallowest([path for path in paths if re.fullmatch(r"(?:[^/]+/){0,3}package\.json", path)])
    values = {path: _manifest(files[path]) for path in manifests}
    packages = {path: _dependencies(value) for path, value in values.items()}
    for path, names in packages.items():
        if found := sorted(_PACKAGES & names) or sorted({"react"} & names if not _NO_PAGES & names else ()):
            return f"{path} names {found[0]}"
    if any(_TEMPLATE.fullmatch(path) for path in paths):
        servers = (found for names in packages.values() for found in sorted(_NODE_SERVERS & names))
        if server := next(servers, "") or _python_server(files, paths):
            return f"There are templates of pages for {server}"
    pages = _shallowest([path for path in paths if _PAGE.fullmatch(path) and _has_parts(path, paths)])
    if page := next((path for path in pages if _ACTIVE.search(files[path][:100_000])), ""):
        return f"There is {page}"
    page = next((path for folder in _node_programs(values) for path in _writers(files, paths, folder)), "")
    return f"{page} writes pages" if page else ""


def _node_programs(manifests: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Yield the folder of each package.json whose script `start` or `dev` is a program for Node."""
    for path, manifest in manifests.items():
        scripts = manifest.get("scripts")
        starts = [scripts.get(name) for name in ("start", "dev")] if isinstance(scripts, dict) else []
        if any(isinstance(start, str) and _NODE_START.search(start) for start in starts):
            yield path.removesuffix("package.json")


def _writers(files: Files, paths: list[str], folder: str) -> Iterator[str]:
    """Yield the modules of a folder that contain the text of a page, if there is a style sheet for it."""
    inside = [path for path in paths if path.startswith(folder)]
    if not any(path.endswith(".css") for path in inside):
        return
    modules = [path for path in inside if _WRITER.fullmatch(path)]
    modules.sort(key=lambda path: (not _WRITER_NAME.search(path.removeprefix(folder)), path.count("/"), path))
    for path in modules[:_MOST_FILES]:
        text = files[path][:100_000]
        if _WRITTEN.search(text) and _ACTIVE.search(text):
            yield path


def _shallowest(paths: list[str]) -> list[str]:
    return sorted(paths, key=lambda path: (path.count("/"), path))[:_MOST_FILES]


def _manifest(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _dependencies(manifest: dict[str, Any]) -> frozenset[str]:
    tables = [manifest.get(name) for name in ("dependencies", "devDependencies", "peerDependencies")]
    return frozenset(name for table in tables if isinstance(table, dict) for name in table)


def _python_server(files: Files, paths: list[str]) -> str:
    """Return the framework that a manifest or, if there is none, a module at the top asks for."""
    texts = [files[path] for path in _python_texts(paths)]
    found = (_PYTHON_SERVER.search(text.decode("utf-8", "replace")) for text in texts)
    return next((match[1].capitalize() for match in found if match), "")


def _python_texts(paths: list[str]) -> Iterator[str]:
    manifests = [path for path in paths if _PYTHON_MANIFEST.fullmatch(path)]
    yield from _shallowest(manifests or [path for path in paths if re.fullmatch(r"(?:[^/]+/)?[^/]+\.py", path)])


def _has_parts(page: str, paths: list[str]) -> bool:
    """Return whether it is the first page of a folder, or a style sheet or script lies in or below its folder. A page
    alone may be a document."""
    folder, _, name = page.rpartition("/")
    is_first = name.lower() in ("index.html", "index.htm")
    return is_first or any(path.startswith(folder) and path.endswith((".css", ".js", ".mjs")) for path in paths)
