"""Changelog entries in the repository's own format, and none in a repository without a changelog."""

from __future__ import annotations

import pytest

from extensions.github.pull_request.changelog_entry import build_entry, untouched_changelog

KEEP = """\
# Changelog

## [Unreleased]
### Added
- X.

### Fixed
- Y.
- Z
  and more.

## [1.0.0]
### Fixed
- A.
"""
RST = "Changes\n=======\n\n2.0 (unreleased)\n----------------\n\n* X.\n\n1.9 (2020)\n----------\n\n* Y.\n"
EMPTY = "# Changes\n\n## Unreleased\n\n## 1.0\n\n- First (#3)\n- Second (#4)\n"
TOWNCRIER = """\
[tool.towncrier]
directory = "changes"
[[tool.towncrier.type]]
directory = "feature"
[[tool.towncrier.type]]
directory = "bugfix"
"""
FLASK = "Version 2.3.0\n-------------\n\nUnreleased\n\n-   X.\n\n    -   Z.\n\nVersion 2.2.4\n-------------\n\n-   Y.\n"
NEXT = "# Changes\n\n## Next\n\n- X.\n\n## 1.0\n\n- Y.\n"
FORMS = {
    "keep": ({"CHANGELOG.md": KEEP}, "CHANGELOG.md", KEEP.replace("  and more.\n", "  and more.\n- Add it\n")),
    "rst": ({"CHANGES.rst": RST}, "CHANGES.rst", RST.replace("* X.\n", "* X.\n* Add it.\n")),
    "empty": (
        {"HISTORY.md": EMPTY},
        "HISTORY.md",
        EMPTY.replace("## Unreleased\n\n", "## Unreleased\n\n- Add it (#12)\n\n"),
    ),
    "crlf": (
        {"CHANGELOG.md": KEEP.replace("\n", "\r\n")},
        "CHANGELOG.md",
        KEEP.replace("  and more.\n", "  and more.\n- Add it\n").replace("\n", "\r\n"),
    ),
    "towncrier": ({"pyproject.toml": TOWNCRIER, "changes/3.feature.md": "x"}, "changes/12.bugfix.md", "Add it.\n"),
    "towncrier default": (
        {"towncrier.toml": '[tool.towncrier]\npackage = "a.b"\n'},
        "a/b/newsfragments/12.bugfix.rst",
        "Add it.\n",
    ),
    "fragments": ({"changelog.d/3.fix.rst": "- X.\n"}, "changelog.d/12.fix.rst", "- Add it.\n"),
    "changeset": (
        {".changeset/config.json": "{}", "package.json": '{"name": "@a/b"}'},
        ".changeset/issue-12.md",
        '---\n"@a/b": patch\n---\n\nAdd it.\n',
    ),
    "below": ({"CHANGES.rst": FLASK}, "CHANGES.rst", FLASK.replace("    -   Z.\n", "    -   Z.\n-   Add it.\n")),
    "below, empty": (
        {"CHANGES.rst": FLASK.replace("-   X.\n\n    -   Z.\n\n", "")},
        "CHANGES.rst",
        FLASK.replace("-   X.\n\n    -   Z.\n", "-   Add it.\n"),
    ),
    "next": ({"NEWS.md": NEXT}, "NEWS.md", NEXT.replace("- X.\n", "- X.\n- Add it.\n")),
    "steps": ({"RELEASE.md": NEXT}, "", ""),
    "releases": ({"docs/releases.md": KEEP}, "", ""),
    "prose": ({"HISTORY.md": "# History\n\n## The development of it\n\n- X.\n\n## 1.0\n"}, "", ""),
    "news": ({"NEWS.md": "# News\n\n## Next\n\n- A party.\n"}, "", ""),
    "none": ({"README.md": "# x\n"}, "", ""),
    "released only": ({"CHANGELOG.md": "# Changelog\n\n## 1.0\n\n- First.\n"}, "", ""),
    "no list": ({"CHANGELOG.md": "# Changelog\n\n## Unreleased\n\nWords.\n"}, "", ""),
    "no section": ({"CHANGELOG.md": "## Unreleased\n### Added\n- X.\n## 1.0\n### Added\n- Y.\n"}, "", ""),
    "many packages": ({".changeset/config.json": "{}", "package.json": '{"name": "a", "workspaces": []}'}, "", ""),
    "not toml": ({"pyproject.toml": "["}, "", ""),
    "not text": ({"CHANGELOG.md": b"\xff## Unreleased\n- x\n"}, "", ""),
}


@pytest.mark.parametrize("name", FORMS)
def test_entry_follows_repositorys_format(name):
    texts, path, text = FORMS[name]
    files = {name: content if isinstance(content, bytes) else content.encode() for name, content in texts.items()}
    assert build_entry(files, files.get, "Add it", 12, ["calc.py"]) == ((path, text.encode()) if path else None)


@pytest.mark.parametrize(
    ("files", "changed"),
    [({"CHANGELOG.md": KEEP}, "CHANGELOG.md"), ({"changelog.d/3.fix.rst": "- X.\n"}, "changelog.d/12.feature.rst")],
    ids=["file", "fragment"],
)
def test_patch_with_entry_gets_no_second_one(files, changed):
    data = {name: text.encode() for name, text in files.items()}
    assert build_entry(data, data.get, "Add it", 12, ["calc.py", changed]) is None


def test_full_stop_of_another_script_is_kept():
    files = {"CHANGELOG.md": KEEP.encode()}
    found = build_entry(files, files.get, "負の値を修正。", 12, [])
    assert found
    text = found[1].decode()
    assert "負の値を修正。" in text
    assert "。." not in text


def test_empty_title_gives_no_entry():
    assert (
        build_entry({"CHANGELOG.md": KEEP.encode()}, {"CHANGELOG.md": KEEP.encode()}.get, "<!-- x -->.", 12, []) is None
    )


def test_hostile_title_is_escaped():
    data = {"CHANGELOG.md": KEEP.encode()}
    entry = build_entry(data, data.get, "Let @ada <!-- x --> in\n## 1.0\n- [y](http://z) #9", 12, [])
    assert entry is not None
    assert b"\n- Let ada in ## 1.0 - [y] (http://z) 9\n" in entry[1]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [("a.py", "CHANGES.rst"), ("CHANGES.rst", ""), ("changelog/12.bugfix.rst", ""), ("tests/news.py", "CHANGES.rst")],
)
def test_unchanged_changelog_is_named(changed: str, expected: str) -> None:
    assert untouched_changelog(["src/changes.py", "CHANGES.rst", "a.py"], [changed]) == expected
    assert untouched_changelog(["src/changes.py", "a.py"], [changed]) == ""
