"""The manifests of Python repositories: extras, test requirements and supported versions.

Nothing is run: setup.py is parsed as a syntax tree, so computed values are not found.
"""

from __future__ import annotations

import ast
import re
import tomllib
import warnings
from collections.abc import Iterable, Iterator, Mapping
from configparser import ConfigParser
from configparser import Error as ConfigParserError
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from aci.environments.environment_plan import Files
from extensions.environments.manifests.poetry_requirements import convert_requirements

PYPROJECT, SETUP_CFG, SETUP_PY, TOX = "pyproject.toml", "setup.cfg", "setup.py", "tox.ini"
TESTS, DEVELOPMENT = ("test", "tests", "testing", "unittest", "pytest"), ("dev", "develop", "development")
"""Names of extras and groups with test requirements, and names of those with development requirements. The names for
development are used if there are no test groups."""

_SETTINGS = re.compile(r"\{\[(?P<section>[^\[\]{}]+)\](?P<key>\w+)\}")
_LONGEST = 10_000
"""The maximum number of characters of a tox setting that refers to other settings, and of each setting that it refers
to."""
_FACTOR = re.compile(r"^(?P<factor>[\w!,.{}-]+):\s*(?P<rest>\S.*)$")


@dataclass(frozen=True)
class Manifests:
    """The manifests at `folder` (empty, or ending in `/`) of a tree."""

    files: Files
    folder: str = ""

    @cached_property
    def pyproject(self) -> dict[str, Any]:
        """The content of `pyproject.toml`; empty if it does not exist or is not valid TOML."""
        try:
            return tomllib.loads(self.text(PYPROJECT))
        except (ValueError, RecursionError):
            return {}

    @cached_property
    def setup_cfg(self) -> ConfigParser:
        return _parser(self.text(SETUP_CFG))

    @cached_property
    def tox(self) -> ConfigParser:
        legacy = self.tool("tox").get("legacy_tox_ini")
        return _parser(self.text(TOX) or (legacy if isinstance(legacy, str) else ""))

    @cached_property
    def setup_call(self) -> dict[str, Any]:
        """The keywords of the call of `setup` that can be determined without running it."""
        return _setup_call(self.text(SETUP_PY))

    def text(self, name: str) -> str:
        path = self.folder + name
        return self.files[path].decode("utf-8", "replace") if path in self.files else ""

    def tool(self, name: str) -> dict[str, Any]:
        """Return the table `[tool.name]` of pyproject.toml."""
        return _table(_table(self.pyproject, "tool"), name)

    @property
    def project(self) -> dict[str, Any]:
        return _table(self.pyproject, "project")

    @property
    def installable(self) -> bool:
        """Whether pip can install the folder."""
        if self.project or "build-system" in self.pyproject or self.tool("poetry").get("name"):
            return True
        return bool(self.setup_call) or "setup(" in self.text(SETUP_PY) or self.setup_cfg.has_section("metadata")

    def extras(self) -> set[str]:
        """Return the names of the extras."""
        tables = [
            _table(self.project, "optional-dependencies"),
            _table(self.tool("poetry"), "extras"),
            _table(_table(self.tool("flit"), "metadata"), "requires-extra"),
            _table(self.setup_call, "extras_require"),
        ]
        found = {str(name) for table in tables for name in table}
        if self.setup_cfg.has_section("options.extras_require"):
            found |= set(self.setup_cfg.options("options.extras_require"))
        return found

    def groups(self) -> Iterator[tuple[str, list[str]]]:
        """Yield the lists of test requirements outside extras, each with its place in the manifests."""
        groups = _table(self.pyproject, "dependency-groups")
        for name in select_test_groups(groups):
            yield f"[dependency-groups] {name}", _group(groups, name)
        poetry = self.tool("poetry")
        own = _table(poetry, "group")
        for name in select_test_groups(own):
            yield f"[tool.poetry.group.{name}]", convert_requirements(_table(_table(own, name), "dependencies"))
        if old := _table(poetry, "dev-dependencies"):
            yield "[tool.poetry.dev-dependencies]", convert_requirements(old)
        pdm = _table(self.tool("pdm"), "dev-dependencies")
        for name in select_test_groups(pdm):
            yield f"[tool.pdm.dev-dependencies] {name}", _strings(pdm[name])
        yield "[tool.uv] dev-dependencies", _strings(self.tool("uv").get("dev-dependencies"))
        envs = _table(self.tool("hatch"), "envs")
        for name in dict.fromkeys((*select_test_groups(envs), *(["default"] if "default" in envs else []))):
            env = _table(envs, name)
            yield (
                f"[tool.hatch.envs.{name}]",
                _strings(env.get("dependencies")) + _strings(env.get("extra-dependencies")),
            )
        yield "setup.py's tests_require", _strings(self.setup_call.get("tests_require"))
        if self.setup_cfg.has_option("options", "tests_require"):
            yield "setup.cfg's tests_require", _lines(self.setup_cfg.get("options", "tests_require"))

    def tox_requirements(self) -> list[str]:
        """Return the lines of `deps` in `[testenv]` for pip, including only those conditional lines that apply to
        Python 3 or tests."""
        if not self.tox.has_option("testenv", "deps"):
            return []
        found = []
        for line in _lines(self._filled(self.tox.get("testenv", "deps"))):
            condition = _FACTOR.match(line)
            if condition and not line.startswith(("-", "http")):
                if not re.fullmatch(r"py|py3\d*|tests?", condition["factor"]):
                    continue
                line = condition["rest"]
            if "{" not in line.replace("{toxinidir}/", "").replace("{toxinidir}", ""):
                found.append(line.replace("{toxinidir}/", "").replace("{toxinidir}", "."))
        return found

    def tox_extras(self) -> set[str]:
        raw = self.tox.get("testenv", "extras") if self.tox.has_option("testenv", "extras") else ""
        return {name for line in _lines(raw) for name in re.split(r"[,\s]+", line) if name and "{" not in name}

    def _filled(self, text: str) -> str:
        def other(match: re.Match[str]) -> str:
            section, key = match["section"], match["key"]
            return self.tox.get(section, key)[:_LONGEST] if self.tox.has_option(section, key) else ""

        return _SETTINGS.sub(other, text[:_LONGEST])


def _table(value: Any, name: str) -> dict[str, Any]:
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, dict) else {}


def _strings(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list | tuple) else []


def _lines(text: str) -> list[str]:
    return [line for raw in text.splitlines() if (line := raw.partition(" #")[0].strip()) and not line.startswith("#")]


def select_test_groups(groups: Iterable[str]) -> list[str]:
    """Return the groups that, judging by their names, are most likely to contain test requirements."""
    for known in (TESTS, DEVELOPMENT):
        if found := [name for name in groups if name.lower() in known]:
            return found
    return [name for name in groups if name.lower().startswith("test") or name.lower() == "all"]


def _group(groups: Mapping[str, Any], name: str) -> list[str]:
    """Return a group's requirements with those of the groups that it includes (PEP 735), each group once."""
    found: list[str] = []
    seen, left = {name}, _reversed(groups.get(name))
    while left:
        one = left.pop()
        if isinstance(one, str):
            found.append(one)
        elif isinstance(one, dict) and isinstance(other := one.get("include-group"), str) and other not in seen:
            seen.add(other)
            left += _reversed(groups.get(other))
    return found


def _reversed(value: Any) -> list[Any]:
    return value[::-1] if isinstance(value, list) else []


def _parser(text: str) -> ConfigParser:
    """Parse an INI file; an invalid one is treated as empty."""
    parser = ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    try:
        parser.read_string(text)
    except ConfigParserError:
        return ConfigParser()
    return parser


def _setup_call(source: str) -> dict[str, Any]:
    """Return the keywords of `setup(...)` whose values are literals or names of variables with literal values."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as invalid escape sequences in the repository's code
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    known: dict[str, Any] = {}
    found: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            known[node.targets[0].id] = _literal(node.value, known)
        elif isinstance(node, ast.Call) and _name(node.func) == "setup":
            found = {keyword.arg: _literal(keyword.value, known) for keyword in node.keywords if keyword.arg}
    return found


def _name(node: ast.expr) -> str:
    """Return the last part of a dotted name."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _literal(node: ast.expr, known: Mapping[str, Any]) -> Any:
    """Return the value of a literal; for a dict or list, only the items that are literals."""
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        named = [(_literal(key, known), value) for key, value in pairs if key is not None]
        return {key: _literal(value, known) for key, value in named if isinstance(key, str)}
    if isinstance(node, ast.List | ast.Tuple):
        return [_literal(one, known) for one in node.elts]
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
