"""Pictures that an instance's tests compare with. A patch as text cannot hold them, so SWE-bench Multimodal names them
by path and URL in `image_assets`."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Mapping
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from aci.runtime.workspace import Workspace
from agent.inputs.github_urls import GITHUB, Address
from agent.inputs.issue_hosts import issue_host
from extensions.lab.evaluation.grading_files import files
from extensions.lab.instances.dataset_instances import PICTURES, parse_list
from trajectories.errors import WorkspaceError

_SECTIONS = re.compile(r"^(?=diff --git )", re.MULTILINE)


def picture_urls(row: Mapping[str, Any]) -> dict[str, str]:
    """Return the URLs of the tests' pictures by their paths in the repository; paths that leave it are left out."""
    value = row.get(PICTURES)
    assets = parse_list(value) if isinstance(value, str) else value
    named = assets.get("test_patch") if isinstance(assets, Mapping) else None
    found = {}
    for entry in named if isinstance(named, list) else ():
        path, url = (entry.get("path"), entry.get("url")) if isinstance(entry, Mapping) else (None, None)
        if isinstance(path, str) and isinstance(url, str) and path and not path.startswith("/"):
            parts = PurePosixPath(path).parts
            if not {"..", ".git"}.intersection(parts):
                found[path] = url
    return found


def write_pictures(workspace: Workspace, urls: Mapping[str, str], repo: str) -> None:
    """Write the pictures into the repository. Raises WorkspaceError if one cannot be fetched from GitHub."""
    for path, url in urls.items():
        workspace.write(f"{workspace.root}/{path}", _fetched(url, repo))


def without_pictures(patch: str, paths: Mapping[str, str]) -> str:
    """Return the patch without the parts for these files, whose content it does not have, so that it applies."""
    parts = _SECTIONS.split(patch)
    return "".join(part for part in parts if not (set(files(part)) & set(paths) and "\nBinary files " in part))


@lru_cache(maxsize=64)
def _fetched(url: str, repo: str) -> bytes:
    found = issue_host().fetch_images([f'<img src="{url}">'], Address(GITHUB, repo))
    if not found:
        raise WorkspaceError(
            f"The picture {url[:200]!r} of the instance's tests cannot be fetched.",
            "Evaluate with a network; pictures are taken from GitHub only.",
        )
    return b64decode(found[0].partition(",")[2])
