"""The package registries that set-up may reach when the user's settings name no others."""

from __future__ import annotations

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
"""The hosts of all default registries. None of them accepts uploads without a password, but set-up code may contain a
password: the data sent to these hosts is not restricted."""
