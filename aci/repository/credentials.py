"""Credentials in files: names of files, formats and assignments which show that a file holds a password or a key.

The formats, and the names in files that are not Python, are those of detect-secrets. Its filters and settings, which
are global to a process, are not used.

Assignments are found by the names assigned to: in Python by the syntax tree, else by patterns.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from collections.abc import Iterable, Iterator
from functools import cache
from inspect import isabstract, isclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from aci.observation.secret_masking import mask_secrets

if TYPE_CHECKING:
    from detect_secrets.plugins.base import RegexBasedDetector

LONGEST_PIECE = 4_000
OVERLAP = 2_000
"""Number of characters of a line that are examined at once, and by which these pieces overlap: some patterns take
quadratic time."""
LEAST_KEY = 16
"""Minimum number of characters of a key or a token: names such as `key` are also those of other values."""

_SECRET = re.compile(r"(?i)passw(?:or)?d|passphrase|pwd|secret|credential|contrase[ñn]a|(?:db|database|key)_?pass")
_KEY_WORDS = frozenset({"key", "token", "apikey", "authkey", "accesskey", "privatekey", "authtoken", "pass", "pw"})
_NAME_WORDS = _KEY_WORDS | {"password", "passwd", "passphrase", "pwd", "secret", "credential"}
_ANY_NAME = re.compile(rf"{_SECRET.pattern}|{'|'.join(sorted(_KEY_WORDS))}")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_PLACEHOLDER = re.compile(r"%(?:\(\w*\))?[a-z]|\$?\{[^{}]*\}|\$\w+|<[^<>]*>|\[[^][]*\]", re.IGNORECASE)
_KEY = re.compile(rf"[\w+/=.:~-]{{{LEAST_KEY},}}", re.ASCII)
_VALUES = ("default", "value", "initial")
"""Arguments of calls that are named by another argument: `option("--password", default=…)`."""
_TEXT = re.compile(r"""([A-Za-z][\w.-]*)["'\])]{0,3}[ \t]*(?::=|=>|[:=])[ \t]*["']?([^\s"',;]{16,})""", re.ASCII)


def is_credential(value: str) -> bool:
    """Return whether a value can be a credential: it is not only a placeholder or the name of one."""
    words = {_singular(word) for word in _words(_PLACEHOLDER.sub(" ", value))}
    return not words <= _NAME_WORDS


def assigned_credentials(path: str, text: str) -> Iterator[str]:
    """Yield the names in a file to which credentials are assigned."""
    if not _ANY_NAME.search(text):
        return
    if PurePosixPath(path).suffix in (".py", ".pyi"):
        with warnings.catch_warnings(action="ignore"):  # such as those about escapes in strings
            try:
                tree = ast.parse(text)
                comments = [
                    part.string
                    for part in tokenize.generate_tokens(io.StringIO(text).readline)
                    if part.type == tokenize.COMMENT
                ]
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                pass
            else:
                yield from _in_tree(tree)
                yield from _in_text(path, comments)
                return
    yield from _in_text(path, text.splitlines())


def pieces(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines, and long ones in pieces."""
    for line in lines:
        for start in range(0, max(len(line) - OVERLAP, 1), LONGEST_PIECE - OVERLAP):
            yield line[start : start + LONGEST_PIECE]


# Names and values


def _words(text: str) -> Iterator[str]:
    return (word.casefold() for word in _WORDS.findall(text))


def _singular(word: str) -> str:
    return word.removesuffix("s") if word.removesuffix("s") in _NAME_WORDS else word


def _is_assigned(name: str, values: Iterable[str]) -> bool:
    """Return whether one of the values is a credential, judging by the name that it is assigned to."""
    if _SECRET.search(name):
        return any(value and is_credential(value) and not _repeats(name, value) for value in values)
    if _KEY_WORDS.isdisjoint(map(_singular, _words(name))):
        return False
    return any(_is_key(value) for value in values)


def _repeats(name: str, value: str) -> bool:
    """Return whether a value is a name for the same thing, as in `CLIENT_SECRET = "client_secret"`."""
    words = set(_words(value))
    return words <= set(_words(name)) | _NAME_WORDS and not words.isdisjoint(_NAME_WORDS)


def _is_key(value: str) -> bool:
    if not _KEY.fullmatch(value) or not is_credential(value):
        return False
    if any(each.isalpha() for each in value) and any(each.isdecimal() for each in value):
        return True
    from detect_secrets.plugins.high_entropy_strings import Base64HighEntropyString, HexHighEntropyString

    kinds = (Base64HighEntropyString(), HexHighEntropyString())
    return any(
        set(value) <= set(kind.charset) and kind.calculate_shannon_entropy(value) > kind.entropy_limit for kind in kinds
    )


# Python


def _in_tree(tree: ast.AST) -> Iterator[str]:
    docstrings = set()
    for node in ast.walk(tree):
        for name, value in _named(node):
            if _ANY_NAME.search(name) and _is_assigned(name, _constants(value)):
                yield name
        if isinstance(node, ast.Expr):
            docstrings.add(node.value)
        elif isinstance(node, ast.Constant) and isinstance(text := node.value, str) and node not in docstrings:
            # It may be the content of a configuration file, or an address with its parts.
            yield from _in_text(".cfg", text.splitlines() if "=" in text or '":' in text else ())


def _named(node: ast.AST) -> Iterator[tuple[str, ast.expr | None]]:
    """Yield the expressions that a node names, with their names."""
    match node:
        case ast.Assign():
            for target in node.targets:
                yield from _unpacked(target, node.value)
        case ast.AnnAssign() | ast.AugAssign() | ast.NamedExpr():
            yield _name(node.target), node.value
        case ast.Dict():
            yield from ((_name(key), value) for key, value in zip(node.keys, node.values, strict=True))
        case ast.Call():
            yield from ((each.arg or "", each.value) for each in node.keywords)
            names = [_name(each) for each in node.args]
            named = next((place for place, name in enumerate(names) if _ANY_NAME.search(name)), None)
            if named is not None:
                values = [each.value for each in node.keywords if each.arg in _VALUES]
                yield from ((names[named], each) for each in (*node.args[named + 1 :], *values))
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
            if not isinstance(node, ast.Lambda):
                yield from ((node.name, each.value) for each in ast.walk(node) if isinstance(each, ast.Return))
            positional = [*node.args.posonlyargs, *node.args.args]
            defaults = node.args.defaults
            yield from (
                (each.arg, value)
                for each, value in zip(positional[len(positional) - len(defaults) :], defaults, strict=True)
            )
            yield from (
                (each.arg, value) for each, value in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
            )
        case ast.Compare(left=left, comparators=[right]):
            yield _name(left), right
            yield _name(right), left


def _unpacked(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(target, ast.Tuple | ast.List):
        values = value.elts if isinstance(value, ast.Tuple | ast.List) else []
        pairs = (
            zip(target.elts, values, strict=True)
            if len(values) == len(target.elts)
            else ((each, value) for each in target.elts)
        )
        for each, own in pairs:
            yield from _unpacked(each, own)
    else:
        yield _name(target), value


def _name(node: ast.expr | None) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.Constant(value=str() as name):
            return name
        case ast.Subscript(slice=key):
            return _name(key)
    return ""


def _constants(node: ast.AST | None) -> Iterator[str]:
    """Yield the texts of the constants of which a value consists."""
    match node:
        case ast.Constant(value=str() as text):
            yield text
        case ast.Constant(value=bytes() as data):
            yield data.decode("latin-1")
        case ast.JoinedStr() | ast.BinOp():
            yield "".join(
                part.value if isinstance(part.value, str) else part.value.decode("latin-1")
                for part in ast.walk(node)
                if isinstance(part, ast.Constant) and isinstance(part.value, str | bytes)
            )
        case ast.Subscript() | ast.Compare():
            return  # the value is not the constant: `settings["password"]`
        case ast.Dict(values=values):
            for each in values:
                yield from _constants(each)
        case ast.Call():
            yield from _constants(node.func)
            names = [each for each in node.args if isinstance(each, ast.Constant) and _ANY_NAME.search(str(each.value))]
            for each in (*node.args, *(keyword.value for keyword in node.keywords)):
                if each not in names[:1]:
                    yield from _constants(each)
        case ast.AST():
            for child in ast.iter_child_nodes(node):
                yield from _constants(child)


# Other text


def _in_text(path: str, lines: Iterable[str]) -> Iterator[str]:
    from detect_secrets.plugins import keyword
    from detect_secrets.util.filetype import FileType, determine_file_type

    kind = determine_file_type(path)
    patterns = keyword.REGEX_BY_FILETYPE.get(FileType.CONFIG if kind is FileType.OTHER else kind)
    detector = keyword.KeywordDetector()
    for line in pieces(lines):
        if not _ANY_NAME.search(line):
            continue
        if any(is_credential(found) for found in detector.analyze_string(line, patterns)):
            yield line
        yield from (name for name, value in _TEXT.findall(line) if _is_assigned(name, [value]))


_FILES = re.compile(
    r"""(?xi)
    id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)? | \.env(?:rc|\..+)? | .+\.env | [._]netrc | \.pypirc | \.pgpass | \.my\.cnf
    | \.htpasswd | \.git-credentials | \.docker(?:cfg|configjson) | \.s3cfg | \.boto | \.vault[-_]pass(?:word)?
    | credentials(?:\.json)? | .+\.(?:pem|key|p12|pfx|pkcs12|jks|keystore|kdbx?|ppk)
    """
)
_EXAMPLE = re.compile(r"(?i)\.(?:example|sample|template|dist)$")
_LEAST_WORD = 12
_CANDIDATE = re.compile(
    r"://|PRIVATE KEY|PuTTY|_authToken|AKC|AP[0-9A-F]|xox|[A-Za-z0-9]{20}|(?<![\w-])(?=[A-Za-z_-]*\d)[\w-]{16}",
    re.ASCII,
)
"""What is in each line that has a credential of a known format, and in few others."""


def is_credential_file(path: str) -> bool:
    """Return whether a file is by its name one of keys or passwords, such as `id_rsa`, `.env` or `*.pem`."""
    name = PurePosixPath(path).name
    return bool(_FILES.fullmatch(name)) and not _EXAMPLE.search(name)


def has_credential_format(text: str) -> bool:
    """Return whether a text holds what is a credential by its format, such as a private key, a token of a known
    service or a URL with a password."""
    if mask_secrets(text) != text:
        return True
    if "PRIVATE KEY" not in text and not any(_CANDIDATE.search(word) for word in text.split() if _is_long(word)):
        return False
    lines = [piece for piece in pieces(text.splitlines()) if _CANDIDATE.search(piece)]
    return any(is_credential(found) for line in lines for each in _formats() for found in each.analyze_string(line))


def has_credentials(path: str, text: str) -> bool:
    """Return whether the text of a file holds credentials, by their format or by the names that they have.

    The names are read from the syntax tree of a Python module, and by the patterns for its type from any other file.
    """
    return has_credential_format(text) or any(assigned_credentials(path, text))


def printable_text(data: bytes) -> str:
    """Return the printable strings in the bytes of a program, a line each."""
    return "\n".join(found.decode() for found in re.findall(rb"[\x20-\x7e]{%d,}" % _LEAST_WORD, data))


def _is_long(word: str) -> bool:
    return len(word) >= _LEAST_WORD


@cache
def _formats() -> list[RegexBasedDetector]:
    """Return the detectors of formats; their import takes 0.3 s."""
    from detect_secrets import plugins
    from detect_secrets.plugins.base import RegexBasedDetector
    from detect_secrets.plugins.ip_public import IPPublicDetector
    from detect_secrets.util.importlib import import_types_from_package

    def is_other(found: object) -> bool:
        return not (isclass(found) and issubclass(found, RegexBasedDetector) and not isabstract(found))

    kinds = import_types_from_package(plugins, filter=is_other)
    return [kind() for kind in kinds if kind is not IPPublicDetector]
