"""Files that run automatically, or configure what runs, on install, in CI or in an editor, and the files that the
configuration of CI names.

A reviewer should read them first.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import Protocol

from agent.patch_checks.protected_paths import is_ci

INSTALL = "runs or is read on install and by builds"
TESTS = "runs or is read before any test"
DEPENDENCIES = "lists what is installed"
COMMANDS = "holds commands that CI and developers run"
CONTAINER = "configures containers and machines"
EDITOR = "takes effect when an editor opens the folder"
HOOKS = "runs on commits"
START = "runs whenever Python starts"
DEPLOY = "configures what is built and published"
IGNORED = "configures which files git ignores"
AGENTS = "gives instructions to coding agents"
TOOL = "is code or settings that a tool loads when it runs"
SCRIPT = "is a script that CI or developers may run"
SETTINGS = "may hold settings that a tool reads"
EXECUTABLE = "is executable"
BY_CI = "is named in the CI configuration"
HIDDEN = "has a hidden path, where tools often keep settings"

_KINDS = (
    (START, r".*\.pth|(?:site|user)customize\.py|pythonstartup\.py"),
    (
        TESTS,
        r"conftest\.py|(?:pytest|unittest)\.py|(?:spec|rails|test)_helper\.rb|pytest_plugins?\.py|jest\..*\.[cm]?[jt]s|pytest\.ini|pytest\.toml|\.?tox\.(?:ini|toml)|noxfile\.py|\.coveragerc|nose\.cfg",
    ),
    (
        INSTALL,
        r"(?:lerna|nx|turbo|project)\.jsonc?|setup\.(?:py|cfg)|pyproject\.toml|hatch_build\.py|hatch\.toml|_?build(?:_?backend)?\.py|manifest\.in|package\.json"
        r"|binding\.gyp|build\.rs|extconf\.rb|.*\.gemspec|.*\.podspec|package\.swift|mix\.exs|rebar\.config|.*\.cabal"
        r"|setup\.hs|(?:cmakelists\.txt|.*\.cmake)|configure(?:\.ac|\.in)?|meson(?:\.build|_options\.txt)|sconstruct|wscript"
        r"|.*\.gradle(?:\.kts)?|gradle\.properties|gradlew(?:\.bat)?|gradle-wrapper\..*|pom\.xml"
        r"|mvnw(?:\.cmd)?|maven-wrapper\..*|.*\.sbt|build\.xml|.*\.(?:cs|fs|vb)proj|.*\.(?:props|targets)|.*\.(?:\w+proj|pbxproj)"
        r"|build(?:\.bazel)?|workspace(?:\.bazel)?|module\.bazel|.*\.bzl|\.bazelrc|install\.(?:sh|ps1)"
        r"|podfile|(?:build|makefile)\.pl|sconscript|build\.zig(?:\.zon)?|project\.clj|deps\.edn|.*\.spec|pkgbuild|pants\.toml"
        r"|buck2?|.*\.m4|.*\.cake|cmake(?:user)?presets\.json|pixi\.toml|devbox\.json",
    ),
    (
        DEPENDENCIES,
        r"(?:.*[-_.])?(?:requirements|constraints)(?:[-_.].*)?\.(?:txt|in|lock)|.*\.lock|.*\.lockb|[^/]*[-.]lock\.(?:json|ya?ml)"
        r"|pipfile|package-lock\.json|npm-shrinkwrap\.json|go\.(?:mod|sum|work)|gemfile|cargo\.toml|composer\.json"
        r"|packages\.config|nuget\.config|environment\.ya?ml|\.npmrc|\.yarnrc(?:\.yml)?|\.pnp\.\w+|\.pnpmfile\.cjs|bunfig\.toml"
        r"|pnpm-workspace\.yaml|pip\.conf|pip\.ini|\.pypirc|deno\.jsonc?|flake\.nix|(?:shell|default)\.nix"
        r"|\.(?:python|ruby|node|java|go)-version|\.nvmrc|\.tool-versions|\.?mise\.toml|rust-toolchain(?:\.toml)?|\.sdkmanrc",
    ),
    (
        COMMANDS,
        r"(?:gnu)?makefile(?:\..*)?|.*\.mk|\.?justfile|taskfile\.ya?ml|rakefile|.*\.rake|tasks\.py|fabfile\.py|dodo\.py"
        r"|dangerfile|fastfile|earthfile|gruntfile\..*|gulpfile\..*|jakefile.*|magefile\.go|action\.ya?ml|(?:run[-_]?tests?|ci|test)\.(?:sh|bat|ps1)"
        r"|(?:ci|run[-_]?tests?|manage|make)\.py",
    ),
    (
        CONTAINER,
        r"(?:.*\.)?(?:dockerfile|containerfile)(?:\..*)?|(?:docker-)?compose(?:\..*)?\.ya?ml|vagrantfile|procfile"
        r"|\.devcontainer\.json|\.dockerignore|.*\.tf|skaffold\.ya?ml|tiltfile|\.gitpod\..*",
    ),
    (IGNORED, r"\.gitignore"),
    (
        HOOKS,
        r"\.pre-commit-(?:config|hooks)\.ya?ml|\.?lefthook.*\.(?:ya?ml|toml|json)|\.lintstagedrc.*|\.overcommit\.yml",
    ),
    (
        EDITOR,
        r"\.envrc|\.env(?:\..*)?|\.(?:g|l)dbinit|\.(?:n?vim|ex|gvim)rc|\.nvim\.lua|\.dir-locals\.el|.*\.code-workspace",
    ),
    (
        DEPLOY,
        r"\.readthedocs\.ya?ml|netlify\.toml|vercel\.json|now\.json|amplify\.ya?ml|render\.yaml|fly\.toml|app\.(?:ya?ml|json)|firebase\.json"
        r"|\.?goreleaser\.ya?ml|wrangler\.(?:toml|jsonc?)|\.?renovate(?:rc)?(?:\.json5?)?|\.releaserc.*|codecov\.yml|chart\.yaml",
    ),
    (
        AGENTS,
        r"(?:agents|claude|gemini|copilot|copilot-instructions)(?:\.local)?\.md|\.cursorrules|\.windsurfrules|\.clinerules"
        r"|\.mcp\.json|\.swe-agent\.toml|\.aider.*|skill\.md",
    ),
    (
        TOOL,
        r".*\.config\.(?:[cm]?[jt]s|json)|\..*rc\.(?:[cm]?[jt]s|json|ya?ml)|\.babelrc|\.pylintrc|pylintrc|\.?mypy\.ini"
        r"|\.?ruff\.toml|\.flake8|\.rubocop\.yml|\.golangci\.ya?ml|conf\.py|\.eslintrc|\.clang-tidy|karma\.conf\..*|\.mocharc.*"
        r"|tsconfig.*\.json|pyrightconfig\.json|mkdocs\.ya?ml|wdio\.conf\..*|protractor\.conf\..*|\.rspec|\.?phpunit\.xml(?:\.dist)?|phpstan\.neon.*",
    ),
)
_FOLDERS = (
    (EDITOR, r"(?:.*/)?\.(?:vscode|idea|zed|fleet|vs|nova)/"),
    (CONTAINER, r"(?:.*/)?\.devcontainer/"),
    (TESTS, r"(?:.*/)?(?:pytest|unittest|tests?)/__init__\.py$"),
    (HOOKS, r"(?:.*/)?\.(?:husky|githooks|hooks)/"),
    (
        DEPENDENCIES,
        r"(?:.*/)?\.(?:yarn|cargo|bundle|mvn|gradle)/|requirements/|(?:.*/)?node_modules/|(?:.*/)?(?:vendor|third_party)/",
    ),
    (INSTALL, r"(?:.*/)?buildsrc/|(?:.*/)?debian/|(?:.*/)?m4/|(?:.*/)?config/[^/]*\.exs$"),
    (
        COMMANDS,
        r"(?:.*/)?\.?ci/|scripts?/|(?:.*/)?\.azure/|taskcluster/|hack/|(?:.*/)?jenkins/|(?:.*/)?pipelines?/.*\.ya?ml$|bin/(?:ci|check|setup|tests?)(?:[-_.][^/]*)?$",
    ),
    (AGENTS, r"(?:.*/)?\.(?:claude|cursor|gemini|codex|windsurf|continue|agents|roo|kiro)/"),
)
_BY_SUFFIX = (
    (SCRIPT, re.compile(r".*\.(?:sh|bash|zsh|ksh|csh|fish|command|bat|cmd|ps1|psm1)")),
    (SCRIPT, re.compile(r"(?!(?:.*/)?(?:src|tests?)/).*\.groovy")),
    (SETTINGS, re.compile(r"[^/]+\.(?:toml|ya?ml|json[5c]?|ini|cfg|conf|properties)|(?:config|settings)\.[^/]+")),
)
"""Patterns for the whole path: scripts in any folder (Groovy files in source and test folders are not scripts), and
settings files in the top folder."""
_BY_NAME = [(why, re.compile(pattern)) for why, pattern in _KINDS]
_BY_FOLDER = [(why, re.compile(pattern)) for why, pattern in _FOLDERS]
_PASSIVE = re.compile(
    r"(?:.*/)?\.(?:gitkeep|keep|empty|placeholder|mailmap)|\.(?:changes|changeset|changelog)/.*\.(?:md|rst|txt)"
)
"""Hidden files that do not configure any tool: placeholders of empty folders, author names, changelog entries."""


def why_flagged(path: str, is_executable: bool = False) -> str:
    """Return why a reviewer should read this file first, as a phrase that follows its path; "" without a reason.

    Every hidden file, and every file in a hidden folder, is flagged, because no list of the tools that read such files
    stays complete.
    """
    folded = path.casefold()
    name = folded.rpartition("/")[2]
    in_folder = (why for why, pattern in _BY_FOLDER if pattern.match(folded))
    if why := next(in_folder, "") or next((why for why, pattern in _BY_NAME if pattern.fullmatch(name)), ""):
        return why
    if why := next((why for why, pattern in _BY_SUFFIX if pattern.fullmatch(folded)), ""):
        return why
    if is_executable:
        return EXECUTABLE
    is_hidden = any(part.startswith(".") for part in folded.split("/"))
    return HIDDEN if is_hidden and not _PASSIVE.fullmatch(folded) else ""


def is_hook(path: str) -> bool:
    """Whether a git hook manager runs this file or is configured by it."""
    return why_flagged(path) == HOOKS


MAX_CI_FILES = 50
"""Maximum number of CI files to read."""
MAX_CI_FILE_BYTES = 500_000
"""Maximum size in bytes of one CI file."""
_WORD = re.compile(r"[\w.+@/-]+")
COMMON_NAMES = frozenset({"__init__.py"})
"""Names so common that a mention of one file says nothing about the others."""


class Store(Protocol):
    """The store that holds the base, such as `PublishStore`."""

    def paths(self, rev: str) -> tuple[str, ...]: ...
    def read(self, rev: str, path: str, limit: int = ...) -> bytes | None: ...


def ci_names(store: Store, base: str) -> frozenset[str]:
    """Return the words in the CI files of a commit or tree that may be a file's path or name."""
    names: set[str] = set()
    for path in islice(filter(is_ci, store.paths(base)), MAX_CI_FILES):
        text = (store.read(base, path, MAX_CI_FILE_BYTES) or b"").decode("utf-8", "replace").casefold()
        names.update(word.removeprefix("./").rstrip(".") for word in _WORD.findall(text))
    return frozenset(names)


def is_mentioned(path: str, names: frozenset[str]) -> bool:
    """Whether the names contain the path, a trailing part of it, or the file's name."""
    parts = path.casefold().split("/")
    ends = {"/".join(parts[at:]) for at in range(len(parts))} - COMMON_NAMES
    return not ends.isdisjoint(names)
