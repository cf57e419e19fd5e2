"""Which repositories have a front end."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import pytest

from aci.environments.front_end import find_front_end, has_front_end

WRITER = "export const layout = (main) => `<!doctype html><link rel=stylesheet href=/style.css>${main}`;"
STARTED = json.dumps({"scripts": {"start": "node server.js"}})
PAGE = "<link rel=stylesheet href=style.css><p>Hello</p>"


def package(**tables: list[str]) -> str:
    return json.dumps({kind: dict.fromkeys(names, "1") for kind, names in tables.items()})


FRONT_ENDS = [
    ({"package.json": package(dependencies=["react", "react-dom"])}, "package.json names react-dom"),
    ({"web/package.json": package(devDependencies=["vite"])}, "web/package.json names vite"),
    ({"package.json": package(devDependencies=["@playwright/test"])}, "package.json names @playwright/test"),
    ({"package.json": package(peerDependencies=["vue"])}, "package.json names vue"),
    ({"index.html": PAGE, "style.css": ""}, "There is index.html"),
    ({"public/index.html": "<script>1</script>"}, "There is public/index.html"),
    ({"app/list.html": PAGE, "app/style.css": ""}, "There is app/list.html"),
    ({"requirements.txt": "Flask==3.0\n", "shop/templates/a.html": ""}, "There are templates of pages for Flask"),
    (
        {"pyproject.toml": 'dependencies = ["django>=5"]', "a/templates/a/b.html": ""},
        "There are templates of pages for Django",
    ),
    ({"app.py": "from flask import Flask\n", "templates/a.html": ""}, "There are templates of pages for Flask"),
    (
        {"package.json": package(dependencies=["express"]), "views/a.ejs": ""},
        "There are templates of pages for express",
    ),
    (
        {"package.json": STARTED, "server.js": "", "views/layout.js": WRITER, "public/style.css": ""},
        "views/layout.js writes pages",
    ),
]
OTHERS = [
    {"package.json": package(dependencies=["left-pad"], devDependencies=["mocha"]), "index.js": ""},
    {"package.json": package(dependencies=["react", "react-native"])},
    {"package.json": "[" * 100_000},
    {"docs/index.html": PAGE, "docs/style.css": "", "docs-site/package.json": package(dependencies=["vue"])},
    {"tests/data/index.html": PAGE, "node_modules/a/package.json": package(dependencies=["vue"])},
    {"specification.html": PAGE},
    {"index.html": "A document.", "a.py": ""},
    {"requirements.txt": "flask-like\n# flask\n", "templates/a.html": ""},
    {"requirements.txt": "flask\n", "app.py": ""},
    {"package.json": package(dependencies=["left-pad"]), "html.js": WRITER, "style.css": ""},
    {"package.json": STARTED, "html.js": WRITER},
    {"package.json": STARTED, "tests/html.js": WRITER, "style.css": ""},
    {},
]


@pytest.mark.parametrize(("files", "evidence"), FRONT_ENDS)
def test_front_ends_are_found(files: dict[str, str], evidence: str) -> None:
    assert find_front_end(encoded(files)) == evidence
    assert has_front_end(encoded(files))


@pytest.mark.parametrize("files", OTHERS)
def test_other_repositories_have_none(files: dict[str, str]) -> None:
    assert not has_front_end(encoded(files))


def encoded(files: Mapping[str, str]) -> dict[str, bytes]:
    return {path: text.encode() for path, text in files.items()}


class CountedFiles(Mapping[str, bytes]):
    """Files that count how many are read."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files, self.reads = files, 0

    def __getitem__(self, path: str) -> bytes:
        self.reads += 1
        return self.files[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self.files)

    def __len__(self) -> int:
        return len(self.files)


def test_few_files_of_large_repository_are_read() -> None:
    files = {f"p{number}/package.json": b"{}" for number in range(500)}
    files |= {
        f"p{number}/{name}": b"" for number in range(500) for name in ("templates/a.html", "a.html", "a.py", "a.js")
    }
    counted = CountedFiles(files)
    assert not has_front_end(counted)
    assert counted.reads <= 60
