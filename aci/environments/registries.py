"""Registries: those of packages that set-up may reach, with the certificates for them, and those of images that a
repository may name."""

from __future__ import annotations

import os
import re
from pathlib import Path

PYTHON = ("pypi.org", "files.pythonhosted.org")
NODE = ("registry.npmjs.org", "registry.yarnpkg.com", "nodejs.org")
GO = ("proxy.golang.org", "sum.golang.org")
RUST = ("index.crates.io", "static.crates.io", "crates.io")
JAVA = ("repo.maven.apache.org", "repo1.maven.org", "plugins.gradle.org", "services.gradle.org")
RUBY = ("rubygems.org", "index.rubygems.org")
PHP = ("repo.packagist.org",)
SYSTEMS = (
    "deb.debian.org",
    "security.debian.org",
    "archive.ubuntu.com",
    "security.ubuntu.com",
    "ports.ubuntu.com",
    "dl-cdn.alpinelinux.org",
)
REGISTRIES = (*PYTHON, *NODE, *GO, *RUST, *JAVA, *RUBY, *PHP, *SYSTEMS)
"""The hosts that set-up may reach when the user's settings name no others. None of them accepts uploads
without a password, but set-up code may contain a password: the data sent to these hosts is not restricted."""

CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "NODE_EXTRA_CA_CERTS")

PUBLIC_REGISTRIES = frozenset(
    {
        "docker.io",
        "ghcr.io",
        "quay.io",
        "gcr.io",
        "mcr.microsoft.com",
        "public.ecr.aws",
        "registry.gitlab.com",
        "docker.elastic.co",
    }
)
"""Public registries. A repository may not name any other registry, since this machine would connect to it."""

_IMAGE = re.compile(r"[a-z0-9][\w.-]*(?:/[\w.-]+)*(?::[\w.-]{1,128})?(?:@sha256:[0-9a-f]{64})?")
_LONGEST_NAME = 500


def image_refusal(name: str) -> str:
    """Return why an image that a repository names is refused; empty if it is accepted.

    A name without a registry refers to Docker Hub. Docker regards the first part of a name as a registry if it has a
    dot, a colon or a capital letter, or is `localhost`.
    """
    first = name.partition("/")[0] if "/" in name else ""
    registry = first == "localhost" or bool(re.search(r"[.:]", first)) or first != first.lower()
    if registry and first not in PUBLIC_REGISTRIES and re.fullmatch(r"[\w.-]+(?::\d+)?", first):
        return f"its registry {first[:80]} is not a known public one; name the image with --image"
    return "" if len(name) <= _LONGEST_NAME and _IMAGE.fullmatch(name) else "it is not a valid image name"


def local_certificates() -> Path | None:
    """Return the file of certificates that the user's environment tells programs to trust, if there is one."""
    for name in CERTIFICATE_VARIABLES:
        if (path := Path(os.environ.get(name) or "/")).is_file():
            return path
    return None
