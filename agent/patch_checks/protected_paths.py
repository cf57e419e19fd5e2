"""Paths that no published patch may touch or add: files that control the repository, and deceptive names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from itertools import accumulate

from aci.observation.untrusted_text import escape_invisible

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
_OWN_SETTINGS = re.compile(r"(?:.*/)?\.swe-agent\.toml", re.IGNORECASE)
_DEVICES = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(?:[ .].*)?", re.IGNORECASE)
_SHORT_NAME = re.compile(r"gi\w{0,6}~[0-9]+")
_SHELL = re.compile(r"[`;|&<>\"*?\\:]|\$[({]")
"""Characters in names that a shell might interpret, or that Windows does not allow."""
HARMLESS = (".gitignore", ".gitkeep")
"""Git's own files that a patch may change, because they only affect what is committed."""
LONGEST_NAME, LONGEST_PATH = 200, 1000
"""Maximum number of bytes of a name and of a path."""


def path_refusal(path: str) -> str:
    """Return why no patch may touch this path; "" if it may."""
    names = path.split("/")
    if any(map(_belongs_to_git, names)):
        return "git and GitHub read settings from it"
    if path.startswith("/") or any(name in ("", ".", "..") for name in names):
        return "the path leads out of the repository"
    if is_ci(path):
        return "it configures what CI runs"
    if _OWN_SETTINGS.fullmatch(plain_path(path)):
        return "it configures what swe-agent runs"
    return "it configures who reviews or merges changes" if _OWNERS.fullmatch(plain_path(path)) else ""


def is_ci(path: str) -> bool:
    """Whether a CI service takes its configuration from this file."""
    return _CI.fullmatch(plain_path(path)) is not None


def name_refusal(path: str) -> str:
    """Return why no patch may add a file of this name; "" if it may."""
    names = path.split("/")
    if escape_invisible(path) != path or "\n" in path or "\t" in path or "\ufffd" in escape_invisible(path):
        return "the name has invisible characters"
    if _SHELL.search(path) or any(name[:1] in "- " or name[-1:] in ". " for name in names):
        return "a shell or Windows would interpret the name differently"
    if any(map(_DEVICES.fullmatch, names)):
        return "the name is reserved for a device on Windows"
    if len(path.encode()) > LONGEST_PATH or any(len(name.encode()) > LONGEST_NAME for name in names):
        return "the name is too long for some systems"
    return ""


def spellings(paths: Iterable[str]) -> Mapping[str, frozenset[str]]:
    """Return the spellings of files and folders, keyed by their case-insensitive form."""
    found: dict[str, set[str]] = {}
    for path in paths:
        for part in accumulate(path.split("/"), "{}/{}".format):
            found.setdefault(plain_path(part), set()).add(part)
    return {plain: frozenset(spelt) for plain, spelt in found.items()}


def case_collision(path: str, known: Mapping[str, frozenset[str]]) -> str:
    """Return an existing path that a case-insensitive file system does not distinguish from this path or one of its
    parent folders; "" for none."""
    for part in accumulate(path.split("/"), "{}/{}".format):
        if others := known.get(plain_path(part), frozenset()) - {part}:
            return min(others)
    return ""


def _belongs_to_git(name: str) -> bool:
    """Whether a name belongs to git (`.git`, `.gitmodules`, …), also as Windows or macOS read it (`GIT~1`, `.git.`)."""
    plain = plain_path(name)
    if name in HARMLESS or plain.startswith((".github", ".gitlab", ".gitea")):
        return False
    return plain.startswith((".git", ".lfsconfig")) or _SHORT_NAME.fullmatch(plain) is not None


def is_git_folder_name(name: str) -> bool:
    """Whether git, or the file system, reads a name as `.git` (`.GIT`, `.git.`, `.git::$DATA`) or as a short name of
    one of git's files (`GIT~1`)."""
    plain = plain_path(name)
    return plain.partition(":")[0].rstrip(". ") == ".git" or _SHORT_NAME.fullmatch(plain) is not None


def plain_path(path: str) -> str:
    """Return a path as seen by a file system that ignores case, Unicode normal forms and zero-width characters."""
    folded = unicodedata.normalize("NFKC", path).casefold()
    return re.sub(r"[\u00ad\u034f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]", "", folded)
