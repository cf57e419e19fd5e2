"""Selection of the files of a tree to index, and the reasons why files are excluded."""

from __future__ import annotations

import re

from aci.graph.parser import languages_by_file_name

NO_SOURCE = "not in a supported language"
VENDORED = "vendored"
GENERATED = "generated"
MINIFIED = "minified"
TOO_LARGE = "too large to be source"

_MODES = {"120000": "a symbolic link", "160000": "a submodule"}

# A folder named `vendor` may also contain an application's own code about vendors. It counts as third-party
# code if it is at the root, among web assets, or if its modules are in folders named after hosts, as in Go.
_VENDORED = re.compile(
    r"(?:^|/)(?:node_modules|bower_components|jspm_packages|_vendor|_vendored|third[_-]?party|site-packages|Godeps)/"
    r"|^(?:[^/]+/)?c?extern/|^vendors?/|(?:^|/)(?:static|public|assets|js|css|lib|libs)/vendors?/"
    r"|(?:^|/)vendor/[^/]+\.[^/]+/.",
    re.IGNORECASE,
)
_GENERATED_PATH = re.compile(
    r"(?:_pb2(?:_grpc)?\.pyi?|\.pb\.(?:go|cc|h|rs)|_pb\.(?:js|d\.ts|rb)|_grpc\.pb\.go|\.g\.(?:ts|js)|\.generated\.\w+"
    r"|(?:^|/|_)(?:parsetab|lextab|yacctab)\.py)$"
)
_MINIFIED_PATH = re.compile(r"[.-]min\.(?:js|mjs|cjs|css)$|[.-]bundle\.js$")

_SAYS_GENERATED = re.compile(rb"@generated\b|\bdo not (?:edit|modify)\b", re.IGNORECASE)
_CODE = re.compile(
    rb"^(?:import|from|def|class|package|use|using|require|#\s*include|export|const|let|var|function|pub|fn|mod"
    rb"|namespace|module|[A-Za-z_]\w*\s*[:=])\b",
    re.MULTILINE,
)
MOST_COMMENTS = 5000
"""Number of consecutive comment lines at which a file is skipped: the parsing time of Python's grammar grows with the
square of this number."""

HEAD = 1000
"""Number of bytes at the start of a file, up to the first code, that are searched for a note that the file was
generated."""

LONG_LINES = 1000
"""Mean number of bytes per line above which a file is considered minified."""
_TEST = re.compile(
    r"(?:^|/)(?:tests|__tests__|fixtures|examples|docs?|benchmarks?|asv_bench|galleries|tutorials|_?vendor|third_party)/"
    r"|^(?:tests?|testing)/|(?:^|/)src/test/"
    r"|(?:^|/)(?:test_[^/]*|conftest\.py|tests\.py|[^/]*_tests?\.\w+|[^/]*[.](?:test|spec)\.\w+|[^/]*Tests?\.java)$"
)


def language_of(path: str) -> str:
    """Return the name of the module of a file's language, or "" if this is not supported."""
    stem, dot, extension = path.rpartition("/")[2].rpartition(".")
    return languages_by_file_name().get(f".{extension.lower()}" if dot else extension, "") if stem or not dot else ""


def exclusion_reason(path: str, mode: str) -> str:
    """Return why a file is excluded, or "" if it is not; `mode` is its git file mode.

    Symbolic links, which are blobs in git, are never followed.
    """
    if not mode.startswith("100"):
        return _MODES.get(mode, "not a file")
    if not language_of(path):
        return NO_SOURCE
    if _VENDORED.search(path):
        return VENDORED
    if _MINIFIED_PATH.search(path):
        return MINIFIED
    return GENERATED if _GENERATED_PATH.search(path) else ""


def unreadable_reason(data: bytes) -> str:
    """Return why a file's content is not indexed, or "" if it is. A file is not excluded for not being valid UTF-8."""
    if b"\0" in data:
        return "binary"
    if len(data) > 10 * LONG_LINES and len(data) > LONG_LINES * (data.count(b"\n") + data.count(b"\r") + 1):
        return MINIFIED
    if data.count(b"#") >= MOST_COMMENTS and _is_commented_out(data):
        return "thousands of consecutive comment lines"
    code = _CODE.search(data, 0, HEAD)
    return GENERATED if _SAYS_GENERATED.search(data, 0, code.start() if code else HEAD) else ""


def _is_commented_out(data: bytes) -> bool:
    run = 0
    for line in data.split(b"\n"):
        run = run + 1 if line.lstrip(b" \t").startswith(b"#") else 0
        if run == MOST_COMMENTS:
            return True
    return False


def is_test_or_example(path: str) -> bool:
    """Return whether a path belongs to a test or an example. Such files are never candidates."""
    return bool(_TEST.search(path))
