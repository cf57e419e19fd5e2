"""The plug-ins that provide pytest's options, settings and fixtures, and those that a failed start of pytest lacks."""

from __future__ import annotations

import re
from collections.abc import Mapping

OPTIONS = {
    "--cov": "pytest-cov",
    "--no-cov": "pytest-cov",
    "-n": "pytest-xdist",
    "--dist": "pytest-xdist",
    "--numprocesses": "pytest-xdist",
    "--timeout": "pytest-timeout",
    "--benchmark": "pytest-benchmark",
    "--asyncio": "pytest-asyncio",
    "--flake8": "pytest-flake8",
    "--black": "pytest-black",
    "--mypy": "pytest-mypy",
    "--isort": "pytest-isort",
    "--pylint": "pytest-pylint",
    "--reruns": "pytest-rerunfailures",
    "--random": "pytest-randomly",
    "--random-order": "pytest-random-order",
    "--html": "pytest-html",
    "--ds": "pytest-django",
    "--reuse-db": "pytest-django",
    "--nomigrations": "pytest-django",
    "--snapshot": "syrupy",
    "--mpl": "pytest-mpl",
    "--doctest-plus": "pytest-doctestplus",
    "--remote-data": "pytest-remotedata",
    "--disable-socket": "pytest-socket",
    "--allow-hosts": "pytest-socket",
    "--instafail": "pytest-instafail",
    "--hypothesis": "hypothesis",
    "--pspec": "pytest-pspec",
    "--durations-path": "pytest-split",
}
"""Beginnings of pytest's options, and the plug-ins that provide them; the longest that fits counts."""

SETTINGS = {
    "asyncio": "pytest-asyncio",
    "DJANGO": "pytest-django",
    "timeout": "pytest-timeout",
    "env": "pytest-env",
    "mock": "pytest-mock",
    "benchmark": "pytest-benchmark",
    "doctest_plus": "pytest-doctestplus",
    "remote_data": "pytest-remotedata",
    "flake8": "pytest-flake8",
}
"""The same for the settings in pytest's configuration file."""

FIXTURES = {
    "mocker": "pytest-mock",
    "benchmark": "pytest-benchmark",
    "requests_mock": "requests-mock",
    "httpx_mock": "pytest-httpx",
    "respx_mock": "respx",
    "freezer": "pytest-freezer",
    "snapshot": "syrupy",
    "httpserver": "pytest-httpserver",
    "httpbin": "pytest-httpbin",
    "aiohttp_client": "pytest-aiohttp",
    "event_loop": "pytest-asyncio",
    "subtests": "pytest-subtests",
    "datadir": "pytest-datadir",
    "data_regression": "pytest-regressions",
    "file_regression": "pytest-regressions",
    "fs": "pyfakefs",
    "cov": "pytest-cov",
    "db": "pytest-django",
    "settings": "pytest-django",
    "time_machine": "time-machine",
    "faker": "Faker",
    "cases": "pytest-cases",
    "lazy_fixture": "pytest-lazy-fixture",
}
"""Fixtures, and the packages that provide them."""

_REQUIREMENT = re.compile(r"[A-Za-z0-9][\w.-]*(?:[<>=~!]{1,3}[\w.*]+)?")


def missing_plugins(output: str) -> list[str]:
    """Return the pytest plug-ins that a failed start of pytest lacks: those it requires by name, those that provide an
    option or setting that it does not know, and those that it imports."""
    found: list[str] = []
    if unknown := re.search(r"error: unrecognized arguments: (.+)", output):
        found += [_longest(OPTIONS, word) for word in unknown[1].split()]
    for setting in re.findall(r"^ERROR: Unknown config option: (\w+)", output, re.MULTILINE):
        found.append(_longest(SETTINGS, setting))
    if required := re.search(r"Missing required plugins: (.+)", output):
        found += [name for one in required[1].split(",") if _REQUIREMENT.fullmatch(name := one.strip())]
    if named := re.search(r'Error importing plugin "(\w+)[\w.]*": No module named', output):
        package = named[1].replace("_", "-")
        found += [package] if package in {*OPTIONS.values(), *FIXTURES.values()} else []  # never guess a name
    return list(dict.fromkeys(filter(None, found)))


def _longest(table: Mapping[str, str], word: str) -> str:
    """Return the entry of the longest key that is the word or its first part, as in `asyncio_mode`."""
    keys = (key for key in table if word.startswith(key) and not word[len(key) :][:1].isalnum())
    return table.get(max(keys, key=len, default=""), "")
