"""Changes that are refused in any patch, and files that are flagged for review."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from hashlib import sha1

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extensions.github.patch_check import MOST_FILES, PatchFindings, check_patch
from extensions.github.pull_request.publish_store import ChangedPath
from trajectories.git_store.object_reader import Entry, changes

File = bytes | tuple[str, bytes]
"""The content, or mode and content."""
BASE: Mapping[str, File] = {
    "README.md": b"# Calc\n",
    "calc/core.py": b"def add(a, b):\n    return a - b\n",
    "docs/index.md": b"Hello\n",
    "run.sh": ("100755", b"#!/bin/sh\n"),
    "windows.txt": b"one\r\ntwo\r\n",
    "latest": ("120000", b"docs/index.md"),
    "vendor/lib": ("160000", b""),
    "logo.png": b"\x89PNG\0\0",
    "latin.txt": b"caf\xe9\n",
}
HONEST: Mapping[str, File] = {
    "calc/core.py": b"def add(a, b):\n    return a + b\n",
    "tests/test_core.py": b"assert 1\n",
}
TOKEN = "ghp_" + "a1B2" * 9


class MemoryStore:
    """A store of trees, including ones that git would not create."""

    def __init__(self, **trees: Mapping[str, File]) -> None:
        self.trees = {name: {path: _entry(file) for path, file in tree.items()} for name, tree in trees.items()}
        self.blobs = {entry.id: data for tree in self.trees.values() for entry, data in tree.values()}

    def changes(self, base: str, tree: str) -> list[ChangedPath]:
        old, new = ({path: entry for path, (entry, _) in self.trees[name].items()} for name in (base, tree))
        none = Entry("000000", "0" * 40, 0)
        changed_paths = []
        for change in changes(old, new):
            before, after = old.get(change.path, none), new.get(change.path, none)
            changed_paths.append(ChangedPath(change.path, change.status, before.mode, after.mode, before.id, after.id))
        return changed_paths

    def paths(self, rev: str) -> tuple[str, ...]:
        return tuple(self.trees[rev])

    def blob(self, id: str) -> bytes:
        return self.blobs[id]

    def read(self, rev: str, path: str, limit: int = 0) -> bytes | None:
        return self.trees[rev][path][1]

    def size(self, id: str) -> int:
        return len(self.blobs[id])


def _entry(file: File) -> tuple[Entry, bytes]:
    mode, data = file if isinstance(file, tuple) else ("100644", file)
    return Entry(mode, sha1(data).hexdigest(), len(data)), data


def check(patch: Mapping[str, File | None], size: int = 500, base: Mapping[str, File] = BASE) -> PatchFindings:
    """Return the findings about a patch: a mapping of paths to new contents, or None for a removed file."""
    after = {path: file for path, file in {**base, **patch}.items() if file is not None}
    return check_patch(MemoryStore(base=base, after=after), "base", "after", size, 200_000, ("canary-of-the-model",))


def test_honest_patch_has_no_findings() -> None:
    assert check(HONEST) == PatchFindings()


REFUSED: list[tuple[str, Mapping[str, File | None], str]] = [
    ("workflow", {".github/workflows/ci.yml": b"on: push\n"}, "it configures what CI runs"),
    ("workflow in capitals", {".GitHub/Workflows/ci.yml": b"on: push\n"}, "it configures what CI runs"),
    ("composite action", {".github/actions/x/action.yml": b"runs:\n"}, "it configures what CI runs"),
    ("gitlab", {".gitlab-ci.yml": b"x: 1\n"}, "it configures what CI runs"),
    ("circleci", {".circleci/config.yml": b"x: 1\n"}, "it configures what CI runs"),
    ("jenkins below", {"ops/Jenkinsfile.release": b"x\n"}, "it configures what CI runs"),
    ("azure", {"azure-pipelines.yml": b"x: 1\n"}, "it configures what CI runs"),
    *(
        (path, {path: b"x: 1\n"}, "it configures what CI runs")
        for path in (
            ".taskcluster.yml",
            ".TaskCluster.YAML",
            ".vela.yml",
            ".vela.yaml",
            "zuul.d/jobs.yaml",
            "Zuul.D/jobs.YML",
            ".zuul.d/jobs.yaml",
            "zuul.yaml",
            ".zuul.yml",
            ".evergreen/config.yml",
            ".evergreen.yml",
            "evergreen.yaml",
            ".cloudbuild/deploy.yaml",
            "cloudbuild.yaml",
            "infra/cloudbuild-release.yml",
            ".codefresh/codefresh.yml",
            "eng/pipelines/build.yml",
            "ENG/Pipelines/templates/run.ps1",
            "build/azure-pipelines/product.yml",
        )
    ),
    ("large files' server", {".lfsconfig": b"[lfs]\n"}, "git and GitHub read settings from it"),
    ("large files' server in capitals", {".LFSConfig": b"[lfs]\n"}, "git and GitHub read settings from it"),
    ("code owners", {"docs/CODEOWNERS": b"* @me\n"}, "it configures who reviews"),
    ("attributes", {"calc/.gitattributes": b"* -diff\n"}, "git and GitHub read settings from it"),
    ("modules", {".gitmodules": b"[submodule]\n"}, "git and GitHub read settings from it"),
    ("git's folder", {".git/hooks/pre-commit": b"x\n"}, "git and GitHub read settings from it"),
    ("git's folder below", {"calc/.GIT/config": b"x\n"}, "git and GitHub read settings from it"),
    ("git's folder on Windows", {"GIT~1/config": b"x\n"}, "git and GitHub read settings from it"),
    ("git's folder on macOS", {".g\u200cit/config": b"x\n"}, "git and GitHub read settings from it"),
    ("traversal", {"../../etc/passwd": b"x\n"}, "the path leads out of the repository"),
    ("absolute", {"/etc/passwd": b"x\n"}, "the path leads out of the repository"),
    ("link", {"key": ("120000", b"/home/ada/.ssh/id_rsa")}, "it is a link"),
    ("link changed", {"latest": ("120000", b"/etc/passwd")}, "it is a link"),
    ("link becomes file", {"latest": b"x\n"}, "it is a link"),
    ("link removed", {"latest": None}, "it is a link"),
    ("submodule", {"vendor/evil": ("160000", b"1")}, "it is a submodule"),
    ("submodule moved", {"vendor/lib": ("160000", b"1")}, "it is a submodule"),
    ("executable", {"README.md": ("100755", b"# Calc\n")}, "it becomes executable"),
    ("new executable", {"fix.sh": ("100755", b"#!/bin/sh\n")}, "it becomes executable"),
    ("executable no more", {"run.sh": ("100644", b"#!/bin/sh\n")}, "it is no longer executable"),
    ("odd mode", {"x.py": ("100664", b"x\n")}, "it is not a file"),
    ("binary", {"logo.png": b"\x89PNG\0\1"}, "it is binary"),
    ("new binary", {"calc/core.so": b"\x7fELF\0"}, "it is binary"),
    ("no text", {"x.dat": b"\xff\xfe\xfd"}, "it is binary"),
    (
        "large file's pointer",
        {"x.dat": b"version https://git-lfs.github.com/spec/v1\n"},
        "a file in Git LFS",
    ),
    ("huge file", {"x.txt": b"x\n" * 3_000_000}, "it has 6,000,000 bytes"),
    ("all to CRLF", {"calc/core.py": b"def add(a, b):\r\n    return a + b\r\n"}, "end in CRLF instead of LF"),
    ("all to LF", {"windows.txt": b"one\nthree\n"}, "end in LF instead of CRLF"),
    ("token", {"calc/core.py": f"x = '{TOKEN}'\n".encode()}, "what looks like a key"),
    ("token in base64", {"x.py": b64encode(b"a" + TOKEN.encode())}, "what looks like a key"),
    ("token in hex", {"x.py": TOKEN.encode().hex().encode()}, "what looks like a key"),
    ("known secret", {"x.py": b"canary-of-the-model\n"}, "what looks like a key"),
    ("known secret in base64", {"x.py": b64encode(b"canary-of-the-model")}, "what looks like a key"),
    ("direction", {"a\u202egnp.py": b"x\n"}, "invisible characters"),
    ("newline", {"a\nb.py": b"x\n"}, "invisible characters"),
    ("escape", {"a\x1b[2Jb.py": b"x\n"}, "invisible characters"),
    ("no UTF-8", {"a\udcffb.py": b"x\n"}, "invisible characters"),
    ("shell", {"a$(id).py": b"x\n"}, "a shell or Windows would"),
    ("backslash", {"..\\..\\x.py": b"x\n"}, "a shell or Windows would"),
    ("option", {"--upload-pack=x": b"x\n"}, "a shell or Windows would"),
    ("dot at the end", {"x.py.": b"x\n"}, "a shell or Windows would"),
    ("device", {"docs/aux.md": b"x\n"}, "reserved for a device on Windows"),
    ("long", {"a" * 201: b"x\n"}, "too long"),
    ("other case", {"readme.MD": b"x\n"}, "the same as `README.md`"),
    ("folder's other case", {"Calc/more.py": b"x\n"}, "the same as `calc`"),
    ("through a link", {"Latest/x.md": b"x\n"}, "the same as `latest`"),
    ("two new ones", {"docs/new.md": b"x\n", "docs/NEW.md": b"x\n"}, "the same as `docs/"),
]


@pytest.mark.parametrize(("patch", "reason"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_forbidden_change_is_refused(patch: Mapping[str, File | None], reason: str) -> None:
    (sentence, *_) = check({**HONEST, **patch}).refused
    assert reason in sentence


def test_oversized_and_empty_patches_are_refused() -> None:
    assert check(HONEST, size=200_001).refused == ("The patch has 200,001 bytes; at most 200,000 are published.",)
    many = {f"x{number}.py": b"%d\n" % number for number in range(MOST_FILES + 1)}
    assert check(many).refused == ("The patch changes 101 files; at most 100 are published.",)
    assert check({}).refused == ("The patch changes nothing.",)


def test_long_list_of_refusals_is_shortened() -> None:
    refusals = check({f".github/{number}.yml": b"%d\n" % number for number in range(40)}).refused
    assert len(refusals) == 11
    assert refusals[-1] == "And 30 more."


WORDS = st.text("abcdefghij_", min_size=1, max_size=8)
PATHS = st.lists(WORDS, min_size=1, max_size=4).map("/".join)
LINES = st.lists(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cf")), max_size=40), max_size=5)
FILES = st.dictionaries(PATHS.map("src/{}.py".format), LINES.map(lambda lines: "\n".join(lines).encode()), max_size=6)
HIDDEN = "\u202e\u2066\u200b\u200f\x00\x1b\x7f\n\r\t\ufeff\U000e0041"


@st.composite
def forbidden(draw: st.DrawFn) -> tuple[str, File]:
    """Draw a file that no patch may contain, anywhere in the tree."""
    folder, name, data = draw(PATHS), draw(WORDS), draw(st.binary(max_size=50))
    text = data.hex().encode()
    case: list[Callable[[str], str]] = draw(st.lists(st.sampled_from([str.upper, str.lower]), min_size=12, max_size=12))

    def mixed_case(word: str) -> str:
        return "".join(to(letter) for to, letter in zip(case * 3, word, strict=False))

    at = draw(st.integers(0, len(name)))
    kinds: list[tuple[str, File]] = [
        (f"{folder}/{name}", ("120000", data or b"x")),
        (f"{folder}/{name}", ("160000", data)),
        (f"{folder}/{name}", ("100755", text)),
        (f"{folder}/{name}", data + b"\0"),
        (f"{folder}/{name}", text + TOKEN.encode()),
        (f"{folder}/{name}", b64encode(data + TOKEN.encode())),
        (f"{mixed_case('.github')}/{folder}", text),
        (f"{mixed_case('.circleci')}/{folder}", text),
        (mixed_case(".gitlab-ci.yml"), text),
        (f"{folder}/{mixed_case('.git')}/{name}", text),
        (f"{folder}/{mixed_case('.gitattributes')}", text),
        (f"{folder}/../{name}", text),
        (f"{folder}/{name[:at]}{draw(st.sampled_from(HIDDEN))}{name[at:]}", text),
        (f"{mixed_case('readme')}.md" if mixed_case("readme") != "README" else "Docs/x", text),
    ]
    return draw(st.sampled_from(kinds))


@pytest.mark.slow
@given(FILES, forbidden())
def test_patch_with_forbidden_file_never_passes(files: dict[str, bytes], forbidden_file: tuple[str, File]) -> None:
    path, file = forbidden_file
    assert check({**files, path: file}).refused


@given(FILES.filter(bool))
def test_patch_of_text_in_new_folders_passes(files: dict[str, bytes]) -> None:
    assert check(files).refused == ()


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("setup.py", "runs or is read on install"),
        ("lib/pyproject.toml", "runs or is read on install"),
        ("web/package.json", "runs or is read on install"),
        ("tests/conftest.py", "before any test"),
        ("Makefile", "commands that CI"),
        (".ci/run", "commands that CI"),
        ("tools/ci/x.sh", "commands that CI"),
        ("script/cibuild", "commands that CI"),
        ("bin/test", "commands that CI"),
        (".azure/main.yml", "commands that CI"),
        ("pytest.py", "before any test"),
        ("pytest/__init__.py", "before any test"),
        ("src/unittest/__init__.py", "before any test"),
        ("tests/__init__.py", "before any test"),
        ("spec/spec_helper.rb", "before any test"),
        ("spec/rails_helper.rb", "before any test"),
        ("test/test_helper.rb", "before any test"),
        ("noxfile.py", "before any test"),
        ("tox.ini", "before any test"),
        ("Dockerfile.dev", "containers"),
        ("docker-compose.yml", "containers"),
        ("poetry.lock", "what is installed"),
        ("requirements-dev.txt", "what is installed"),
        ("package-lock.json", "what is installed"),
        ("pnpm-lock.yaml", "what is installed"),
        ("go.sum", "what is installed"),
        (".pre-commit-config.yaml", "runs on commits"),
        (".vscode/tasks.json", "when an editor opens the folder"),
        ("web/.VSCode/tasks.json", "when an editor opens the folder"),
        ("web/.idea/workspace.xml", "when an editor opens the folder"),
        (".devcontainer/devcontainer.json", "containers"),
        ("web/.devcontainer/api/devcontainer.json", "containers"),
        ("web/.dockerignore", "containers"),
        ("amplify.yml", "built and published"),
        ("AMPLIFY.YAML", "built and published"),
        ("turbo.json", "runs or is read on install"),
        ("nx.json", "runs or is read on install"),
        ("lerna.json", "runs or is read on install"),
        ("web/.husky/pre-push", "runs on commits"),
        ("crates/a/.cargo/config.toml", "what is installed"),
        (".Storybook/preview.ts", "has a hidden path"),
        ("web/.editorconfig", "has a hidden path"),
        (".a-tool-of-next-year/run.js", "has a hidden path"),
        ("src/x.pth", "whenever Python starts"),
        ("sitecustomize.py", "whenever Python starts"),
        ("vite.config.ts", "a tool loads"),
        (".gitignore", "git ignores"),
        ("CLAUDE.md", "coding agents"),
        (".readthedocs.yaml", "built and published"),
    ],
)
def test_risky_file_is_flagged(path: str, reason: str) -> None:
    flagged = check({**HONEST, path: b"x\n"}).flagged
    assert flagged.keys() == {path}
    assert reason in flagged[path]


@pytest.mark.parametrize(
    "path",
    [
        *("build.sh", "release.sh", "src/deep/deploy.SH", "autogen.sh", "entrypoint.sh", "build.ps1", "x/run.bat"),
        *("hack/verify", "tools/ci.py", "ci.py", "runtests.py", "run_tests.py", "manage.py", "make.py"),
        *("pytest_plugin.py", "project/plugins.sbt", "gradle/java.gradle", "a.gradle.kts", "build/x.targets"),
        *("x.props", "app.vcxproj", "ios/App.xcodeproj/project.pbxproj", "ios/Podfile", "Build.PL", "lib/SConscript"),
        *("build.zig", "config/config.exs", "project.clj", "debian/rules", "app.spec", "PKGBUILD", "pants.toml"),
        *("src/BUCK", "m4/ax.m4", "build.cake", "CMakePresets.json", "tsconfig.json", "web/tsconfig.base.json"),
        *("pyrightconfig.json", "jest.setup.js", "pixi.toml", "devbox.json", "mkdocs.yml", "vars/deploy.groovy"),
        *("jenkins/build.groovy", "pipelines/x.yml", "ci.yml", "azure-devops.yml", "gitpod.yml", "config.py"),
        *("unknown-tool.toml", "next.JSON5", "tool.cfg", "src/run.fish"),
    ],
)
def test_scripts_builds_and_settings_are_flagged(path: str) -> None:
    assert check({**HONEST, path: b"x\n"}).flagged.keys() == {path}


@pytest.mark.parametrize(
    ("ci", "path"),
    [
        (b"run: python -m pytest qa/slow_checks.py -q\n", "qa/slow_checks.py"),
        (b"run: node ./qa/all.js\n", "qa/all.js"),
        (b"working-directory: web\nrun: node qa/all.js\n", "web/qa/all.js"),
        (b"run: cd qa && lua all.lua\n", "qa/all.lua"),
    ],
)
def test_file_named_in_ci_configuration_is_flagged(ci: bytes, path: str) -> None:
    base = {**BASE, ".github/workflows/test.yml": ci + b"# see calc/__init__.py\n"}
    findings = check({**HONEST, path: b"x\n", "other/__init__.py": b"x\n"}, base=base)
    assert findings.flagged == {path: "is named in the CI configuration"}


def test_executable_file_is_flagged() -> None:
    base: Mapping[str, File] = {**BASE, "tool": ("100755", b"#!/usr/bin/perl\n")}
    findings = check({**HONEST, "tool": ("100755", b"#!/usr/bin/perl -w\n")}, base=base)
    assert findings == PatchFindings((), {"tool": "is executable"})


@pytest.mark.parametrize(
    "path",
    [
        "src/data/locale.json",
        "src/settings.py",
        "tests/data/case.yml",
        "tests/FooSpec.groovy",
        "src/main/groovy/Foo.groovy",
        "test/foo_test.exs",
        "web/src/button.spec.ts",
        "docs/build.md",
        "README.rst",
        "CHANGES.txt",
        "src/setup_tools.py",
        "docs/makefile-tips.md",
        "src/requirements.py",
        "test_config.py",
        "src/pci/a.c",
        "docs/eng/pipelines.md",
        "src/evergreen.py",
        "data/.gitkeep",
        ".changeset/issue-12.md",
    ],
)
def test_ordinary_file_is_not_flagged(path: str) -> None:
    assert check({**HONEST, path: b"x\n"}) == PatchFindings()


def test_text_invisible_to_reviewers_is_flagged() -> None:
    reversed_text, tagged_text, long_line = "if a:  # \u202e\n", "x = 'a\U000e0041'\n", f"x = 1{' ' * 1200}; evil()\n"
    findings = check({"a.py": reversed_text.encode(), "b.py": tagged_text.encode(), "c.py": long_line.encode()})
    assert findings.refused == ()
    assert findings.flagged == {
        "a.py": "has characters that change the direction of text",
        "b.py": "has invisible characters",
        "c.py": "has a line of 1,213 characters",
    }


@pytest.mark.parametrize("hidden", ["\u2028", "\u2029", "\x85", "\ufeff", "\u200b", "\U000e0001", "\x0b"])
def test_code_after_unusual_line_break_is_flagged(hidden: str) -> None:
    """JavaScript ends a comment at U+2028, but a review shows one line."""
    findings = check({"a.js": f"// looks fine{hidden}evil()\n".encode()})
    assert findings.flagged == {"a.js": "has invisible characters"}


@pytest.mark.parametrize("text", ["\ufeffx = 1\r\n", "\fx = 1\n", "x = '👩\u200d👧 \u200fשם'\n"])
def test_characters_of_plain_files_are_not_flagged(text: str) -> None:
    assert check({"a.py": text.encode()}) == PatchFindings()


def test_existing_content_is_not_blamed_on_patch() -> None:
    """A moved binary, a key in unchanged lines, text in another encoding, a removed file."""
    base: Mapping[str, File] = {**BASE, "keys.py": f"a = 1\nx = '{TOKEN}'\n".encode(), "a\tb.py": b"x\n"}
    patch: Mapping[str, File | None] = {
        "logo.png": None,
        "img/logo.png": b"\x89PNG\0\0",
        "keys.py": f"a = 2\nx = '{TOKEN}'\n".encode(),
        "latin.txt": b"caf\xe9s\n",
        "docs/index.md": None,
        "a\tb.py": b"y\n",
    }
    assert check(patch, base=base) == PatchFindings()


def test_removed_file_that_runs_automatically_is_flagged() -> None:
    flagged = check({"setup.py": None}, base={**BASE, "setup.py": b"x\n"}).flagged
    assert flagged == {"setup.py": "runs or is read on install and by builds (removed)"}
