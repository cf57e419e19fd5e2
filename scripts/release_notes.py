"""Prints the changelog's section of a release, after comparing its tag with the program's version.

    python scripts/release_notes.py v0.2.0

In GitHub Actions, links to files of the repository get its address, since a release page resolves no relative links.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def release_notes(changelog: str, version: str) -> str:
    """Return the section of a version, without its heading. Raises ValueError if it is missing, undated or empty."""
    heading = rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$"
    sections = re.split(r"^(?=## \[)", changelog, flags=re.MULTILINE)
    found = [section for section in sections if re.match(heading, section, re.MULTILINE)]
    if len(found) != 1:
        raise ValueError(f"CHANGELOG.md needs one heading `## [{version}] - YYYY-MM-DD`.")
    notes = found[0].partition("\n")[2].strip()
    if not notes:
        raise ValueError(f"The section of {version} in CHANGELOG.md is empty.")
    return notes


def main() -> int:
    tag = "".join(sys.argv[1:])
    version = re.search(r'__version__ = "(.+)"', (ROOT / "agent" / "version.py").read_text("utf-8"))
    assert version
    try:
        if tag != f"v{version[1]}":
            raise ValueError(f"The tag {tag!r} is not v{version[1]}, the version in agent/version.py.")
        notes = release_notes((ROOT / "CHANGELOG.md").read_text("utf-8"), version[1])
    except ValueError as error:
        print(f"release_notes: {error}", file=sys.stderr)
        return 2
    if repository := os.environ.get("GITHUB_REPOSITORY"):
        address = f"{os.environ.get('GITHUB_SERVER_URL', 'https://github.com')}/{repository}/blob/{tag}/"
        notes = notes.replace("](docs/", f"]({address}docs/")
    print(notes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
