"""Paths that no published patch touches or adds: what decides over the repository, and names that are traps."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from itertools import accumulate

from aci.cleaning import visible

_CI = re.compile(
    r"(?:.*/)?\.(?:github|gitlab|circleci|forgejo|gitea|buildkite|woodpecker|semaphore|teamcity|builds|azure-pipelines|azuredevops"
    r"|concourse|tekton|harness|prow|zuul\.d|zuul|taskcluster|vela|evergreen|cloudbuild|codefresh)(?:/.*)?"
    r"|(?:(?:.*/)?(?:zuul\.d|azure-pipelines?)|eng/pipelines)/.*"
    r"|(?:.*/)?(?:\.?gitlab-ci[^/]*|\.?travis\.ya?ml|\.?appveyor[^/]*\.ya?ml|\.?azure-pipelines?[^/]*\.ya?ml"
    r"|jenkinsfile[^/]*|\.(?:drone|woodpecker|cirrus|zuul|build|prow|packit)\.(?:ya?ml|star|jsonnet)"
    r"|bitbucket-pipelines\.ya?ml|wercker\.ya?ml|\.?codefresh\.ya?ml|\.?cloudbuild(?:[-_.][^/]*)?\.(?:ya?ml|json)"
    r"|buildspec[^/]*\.ya?ml|\.?taskcluster\.ya?ml|\.?vela\.(?:ya?ml|star|py)|zuul\.ya?ml"
    r"|\.?screwdriver\.ya?ml|\.?bitrise\.ya?ml|\.?buddy\.ya?ml|\.?codemagic\.ya?ml|\.?scrutinizer\.ya?ml"
    r"|shippable\.ya?ml|circle\.ya?ml|\.?(?:evergreen|cirun|vsts-ci|ci-operator|tekton)\.ya?ml|\.(?:kokoro|pipelines)/.*)",
    re.IGNORECASE,
)
_OWNERS = re.compile(
    r"(?:docs/)?codeowners|(?:.*/)?owners(?:_aliases)?|\.?(?:mergify|bulldozer|policy|asf|prow)\.ya?ml|\.mergify/.*"
    r"|\.?kodiak\.toml|\.?bors\.toml",
    re.IGNORECASE,
)
_OURS = re.compile(r"(?:.*/)?\.swe-agent\.toml", re.IGNORECASE)
_DEVICES = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(?:[ .].*)?", re.IGNORECASE)
_SHELL = re.compile(r"[`;|&<>\"*?\\:]|\$[({]")
"""What a script that lists files would obey, or Windows cannot hold."""
HARMLESS = (".gitignore", ".gitkeep")
"""Of git's own files: they say only what is not committed."""
LONGEST_NAME, LONGEST_PATH = 200, 1000
"""Bytes."""


def refused_path(path: str) -> str:
    """Why no patch may touch this path; "" where it may."""
    names = path.split("/")
    if any(map(_is_gits, names)):
        return "git and GitHub take settings from it"
    if path.startswith("/") or any(name in ("", ".", "..") for name in names):
        return "the path leads out of the repository"
    if is_ci(path):
        return "it says what CI runs"
    if _OURS.fullmatch(_plain(path)):
        return "it says what the Action itself runs"
    return "it says who reviews changes, or merges them" if _OWNERS.fullmatch(_plain(path)) else ""


def is_ci(path: str) -> bool:
    """Whether a CI service takes its configuration from this file."""
    return _CI.fullmatch(_plain(path)) is not None


def refused_name(path: str) -> str:
    """Why no patch may add a file of this name; "" where it may."""
    names = path.split("/")
    if visible(path) != path or "\n" in path or "\t" in path or "\ufffd" in visible(path):
        return "the name has characters that are not seen"
    if _SHELL.search(path) or any(name[:1] in "- " or name[-1:] in ". " for name in names):
        return "a shell or Windows would read the name as something else"
    if any(map(_DEVICES.fullmatch, names)):
        return "the name is a device's on Windows"
    if len(path.encode()) > LONGEST_PATH or any(len(name.encode()) > LONGEST_NAME for name in names):
        return "the name is too long for some systems"
    return ""


def spellings(paths: Iterable[str]) -> Mapping[str, frozenset[str]]:
    """How files and folders are spelt, by what a system that ignores case takes them for."""
    found: dict[str, set[str]] = {}
    for path in paths:
        for part in accumulate(path.split("/"), "{}/{}".format):
            found.setdefault(_plain(part), set()).add(part)
    return {plain: frozenset(spelt) for plain, spelt in found.items()}


def collision(path: str, known: Mapping[str, frozenset[str]]) -> str:
    """Another spelling of the path, or of a folder on the way to it; "" for none."""
    for part in accumulate(path.split("/"), "{}/{}".format):
        if others := known.get(_plain(part), frozenset()) - {part}:
            return min(others)
    return ""


def _is_gits(name: str) -> bool:
    """`.git`, `.gitmodules`, `.lfsconfig`, …, also as Windows and macOS read them (`GIT~1`, `.git.`, `.git::$DATA`)."""
    plain = _plain(name)
    if name in HARMLESS or plain.startswith((".github", ".gitlab", ".gitea")):
        return False
    return plain.startswith((".git", ".lfsconfig")) or re.fullmatch(r"gi\w{0,6}~[0-9]+", plain) is not None


def _plain(path: str) -> str:
    """A name as a system takes it that knows neither case nor accents in two forms nor characters without width."""
    folded = unicodedata.normalize("NFKC", path).casefold()
    return re.sub(r"[\u00ad\u034f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]", "", folded)
