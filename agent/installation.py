"""How this installation was made, and how to add an extra to it."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import sys
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit

NAME = "swe-agent"


@dataclass(frozen=True, slots=True)
class Source:
    """What was given to the installer: a folder, an archive or an address; `editable` as in `pip install -e`."""

    place: str
    editable: bool = False


def extra_advice(extra: str) -> str:
    """Return the sentence that says how to add an extra, with the installer and the source of this installation.

    The advice never looks for this program on an index, where somebody else could publish its name. Without a known
    source, it names the packages that the extra requires.
    """
    try:
        installed = distribution(NAME)
    except PackageNotFoundError:
        installed = None
    found = _source(installed)
    if installed is not None and (found is None or _is_gone(found)):
        return f"Run `{_command(_requirements(installed, extra), adds=True)}`."
    if found is None:
        return f"Install the extra {extra} from a clone of swe-agent."
    return f"Run `{_command([_with_extra(found.place, extra)], editable=found.editable)}`."


def _source(installed: Distribution | None) -> Source | None:
    """Return the source that the installer recorded (PEP 610), or the clone that this program runs from; None for an
    installation from an index."""
    if installed is None:
        clone = Path(__file__).resolve().parents[1]
        return Source(str(clone), editable=True) if (clone / "pyproject.toml").is_file() else None
    try:
        record = json.loads(installed.read_text("direct_url.json") or "{}")
        url, vcs, folder = str(record["url"]), record.get("vcs_info"), record.get("dir_info") or {}
        if vcs:
            return Source(f"{vcs['vcs']}+{url}@{vcs['commit_id']}")
        place = unquote(urlsplit(url).path) if urlsplit(url).scheme == "file" else url
        return Source(place, editable=bool(folder.get("editable")))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _is_gone(source: Source) -> bool:
    return source.place.startswith("/") and not Path(source.place).exists()


def _with_extra(place: str, extra: str) -> str:
    """Return the source with an extra, as installers read it."""
    return f"{place}[{extra}]" if place.startswith("/") else f"{NAME}[{extra}] @ {place}"


def _requirements(installed: Distribution, extra: str) -> list[str]:
    """Return what an extra requires, which needs no source of this program."""
    wanted = re.compile(rf"""extra == ['"]{re.escape(extra)}['"]""")
    return [text.partition(";")[0].strip() for text in installed.requires or () if wanted.search(text)]


def _command(targets: list[str], editable: bool = False, adds: bool = False) -> str:
    """Return the command of the installer that made the environment of this program. `adds` tells that the targets are
    other packages, which it adds to the environment."""
    prefix = Path(sys.prefix)
    if (prefix / "pipx_metadata.json").is_file():
        words = ["pipx", "inject", NAME] if adds else ["pipx", "install", "--force"]
    elif (prefix / "uv-receipt.toml").is_file() and not adds:
        words = ["uv", "tool", "install", "--force"]
    elif importlib.util.find_spec("pip"):
        words = [sys.executable, "-m", "pip", "install"]
    else:
        words = ["uv", "pip", "install", "--python", sys.executable]
    return shlex.join([*words, *(["--editable"] if editable else []), *targets])
