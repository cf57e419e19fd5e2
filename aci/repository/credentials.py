"""Credentials in files: names of files, formats and assignments which show that a file holds a password or a key.

The formats, and the names in files that are not Python, are those of detect-secrets. Its filters and settings, which
are global to a process, are not used.
"""

from __future__ import annotations

import re
from functools import cache
from inspect import isabstract, isclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from aci.observation.output_text import mask_secrets
from aci.repository.assigned_credentials import assigned_credentials, is_credential, pieces

if TYPE_CHECKING:
    from detect_secrets.plugins.base import RegexBasedDetector

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
