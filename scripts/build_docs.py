"""Builds the documentation site in build/site, and checks it; `make docs` calls it with the Python of .venv-docs.

Checked are links and anchors, spelling, the syntax of examples, that every page is in the navigation, and that no page
loads anything from another host. `llms.txt` and `llms-full.txt` are written after https://llmstxt.org.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import yaml

ROOT = Path(__file__).resolve().parents[1]
STAGE, SITE = ROOT / "build" / "docs", ROOT / "build" / "site"
PLACES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md", "README.md": "index.md"}
"""Where files outside docs/ are in the site; others that a page links are under `files/`."""
LINK = re.compile(r"(\]\()([^)\s#]+)(?=[)#])")
CODE_IN_TABLE = re.compile(r"`[^`\n]*\\\|[^`\n]*`")
"""Code in which GitHub needs a backslash before `|`; the generator would show it."""
BLOCK = re.compile(r"^( *)```(\w+)[^\n]*\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
LOADING = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "link": "href"}
"""The attributes by which elements load something."""
NOT_LOADED = ("canonical", "next", "prev", "alternate")

SPELLED = ("docs", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "AGENTS.md")
TOOLS = (
    ("codespell", "--ignore-words-list=aci,astroid", "--skip=*.svg,*.json,*.png", *SPELLED),
    ("zensical", "build", "--strict", "--clean"),
)


def place_of(path: str) -> str:
    """Return where a file of the repository is in the site."""
    return PLACES.get(path) or (path.removeprefix("docs/") if path.startswith("docs/") else f"files/{path}")


def stage() -> None:
    """Copy docs/, and what its pages link outside of it, to STAGE."""
    shutil.rmtree(STAGE, ignore_errors=True)
    waiting = [path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*") if path.is_file()]
    waiting += ["CONTRIBUTING.md", "CHANGELOG.md"]
    known = {*waiting, "README.md"}  # the site has docs/index.md in its place
    while waiting:
        path = waiting.pop()
        target = STAGE / place_of(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not path.endswith(".md"):
            shutil.copyfile(ROOT / path, target)
            continue
        text, linked = with_links_in_site(path, (ROOT / path).read_text("utf-8"))
        target.write_text(text, "utf-8")
        waiting += [each for each in linked if each not in known]
        known |= linked


def with_links_in_site(path: str, text: str) -> tuple[str, set[str]]:
    """Return a page whose links name places in the site, and the files that it links."""
    linked = set()

    def replace(match: re.Match[str]) -> str:
        target = os.path.normpath(PurePosixPath(path).parent / match[2])
        if ":" in match[2] or not (ROOT / target).is_file():  # a URL, or broken, which the generator reports
            return match[0]
        linked.add(target)
        return match[1] + os.path.relpath(place_of(target), PurePosixPath(place_of(path)).parent)

    text = LINK.sub(replace, text)
    return CODE_IN_TABLE.sub(lambda match: match[0].replace("\\|", "|"), text), linked


def example_errors() -> Iterator[str]:
    """Check the syntax of all Python, JSON and TOML examples; the tests of each guide run them."""
    checks = {
        "python": lambda text: compile(text, "example", "exec"),
        "py": lambda text: compile(text, "example", "exec"),
        "json": json.loads,
        "toml": tomllib.loads,
    }
    for page in sorted(STAGE.rglob("*.md")):
        for match in BLOCK.finditer(page.read_text("utf-8")):
            try:
                checks.get(match[2], str)(textwrap.dedent(match[3]))
            except (SyntaxError, ValueError) as error:
                line = page.read_text("utf-8")[: match.start()].count("\n") + 1
                yield f"{page.relative_to(STAGE)}:{line}: the {match[2]} example is invalid: {error}"


def pages_in_navigation(entries: list[object], section: str = "") -> Iterator[tuple[str, str]]:
    """Yield the section and the path of each page of the navigation."""
    for entry in entries:
        if isinstance(entry, str):
            yield section, entry
            continue
        assert isinstance(entry, dict)
        for title, value in entry.items():
            if isinstance(value, str):
                yield section, value
            else:
                yield from pages_in_navigation(value, section or title)


class Page(HTMLParser):
    """The anchors of a built page, the places that it links, and the addresses that it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors.update(filter(None, (given.get("id"), given.get("name") if tag == "a" else "")))
        if address := given.get(LOADING.get(tag, "")):
            self.loaded.update([address] if given.get("rel") not in NOT_LOADED else [])
        if tag == "a" and "href" in given:
            self.links.add(given["href"])


def site_errors() -> Iterator[str]:
    """Check the built site: every link and anchor within it exists, and nothing is loaded from another host."""
    pages = {path: Page(path.read_text("utf-8")) for path in sorted(SITE.rglob("*.html"))}
    for path, page in pages.items():
        shown = path.relative_to(SITE)
        for address in sorted(page.links | page.loaded):
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                if address in page.loaded and parts.scheme != "data":
                    yield f"{shown} loads {address}"
                continue
            target = path.parent / unquote(parts.path) if parts.path else path
            target = Path(os.path.normpath(target / "index.html" if target.is_dir() else target))
            if not target.is_file() and path.name != "404.html":
                yield f"{shown} links {address}, which does not exist"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                yield f"{shown} links {address}, but there is no such anchor"
    for path in sorted(SITE.rglob("*.css")):
        for address in re.findall(r"url\([\"']?(?:https?:)?//[^)]*|@import[^;]*//[^;]*", path.read_text("utf-8")):
            yield f"{path.relative_to(SITE)} loads {address}"


def write_llms_files(config: dict[str, object]) -> None:
    """Write llms.txt, the list of all pages, and llms-full.txt with their text; each page is there as Markdown too."""
    sections: dict[str, list[str]] = {}
    texts = []
    for section, page in pages_in_navigation(config["nav"]):
        text = (STAGE / page).read_text("utf-8")
        (SITE / page).write_text(text, "utf-8")
        texts.append(text.strip())
        title, summary = title_and_summary(text)
        sections.setdefault(section or "Start", []).append(f"- [{title}]({page}): {summary}")
    head = f"# {config['site_name']}\n\n> {config['site_description']}\n"
    lists = [f"\n## {section}\n\n" + "\n".join(entries) + "\n" for section, entries in sections.items()]
    (SITE / "llms.txt").write_text(head + "".join(lists), "utf-8")
    (SITE / "llms-full.txt").write_text("\n\n".join(texts) + "\n", "utf-8")


def title_and_summary(text: str) -> tuple[str, str]:
    """Return the title of a page, and the first sentence of its first paragraph."""
    title, *blocks = re.sub(r"<!--.*?-->\n*", "", text).strip().split("\n\n")
    paragraph = next((block for block in blocks if re.match(r"[\w*`\[](?!``)", block)), "")
    words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", " ".join(paragraph.split()))
    return title.removeprefix("# "), re.split(r"(?<=[.:])\s", words)[0].rstrip(":")


def succeeds(tool: str, *arguments: str) -> bool:
    """Run a tool of the environment and print its output, without the traceback of an aborted build."""
    command = [Path(sys.executable).parent / tool, *arguments]
    result = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    print(result.stdout.partition("Traceback (most recent call last)")[0], end="")
    return result.returncode == 0


def main() -> None:
    stage()
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))
    listed = {page for _, page in pages_in_navigation(config["nav"])}
    pages = {path.relative_to(STAGE).as_posix() for path in STAGE.rglob("*.md")}
    missing = {page for page in pages - listed if not page.startswith("files/")}
    errors = [f"{page} is not in the navigation of mkdocs.yml" for page in sorted(missing)]
    errors += example_errors()
    shutil.rmtree(SITE, ignore_errors=True)
    errors += [f"{name} failed" for name, *arguments in TOOLS if not succeeds(name, *arguments)]
    if SITE.is_dir():
        errors += site_errors()
        write_llms_files(config)
    if errors:
        raise SystemExit("\n".join(["docs: the documentation has errors:", *errors]))
    print(f"build/site has {len(pages)} pages; `python3 -m http.server -d build/site` shows them.")


if __name__ == "__main__":
    main()
