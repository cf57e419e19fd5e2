"""Environments for languages other than Python, with commands of their own package managers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from aci.environments.environment_plan import HOME, OWN_FILES, Command, EnvironmentOptions, Files, Plan
from aci.testing.suite_command import FAILSAFE
from extensions.environments.language_images import Version, WantedVersion, choose_image, parse_version

_NODE_LOCKS = {
    "pnpm-lock.yaml": "pnpm",
    "yarn.lock": "yarn",
    "package-lock.json": "npm",
    "npm-shrinkwrap.json": "npm",
    "bun.lock": "bun",
    "bun.lockb": "bun",
}
"""The package manager of each lock file, as `packageManager` of package.json names it."""
_NODE_INSTALL = {
    "": "npm install --no-audit --no-fund",
    "pnpm": "pnpm install --frozen-lockfile",
    "yarn": "yarn install --frozen-lockfile",
    "berry": "yarn install --immutable",
    "npm": "npm ci --no-audit --no-fund",
    "bun": "bun install --frozen-lockfile",
}
_NODE_PACKAGE = {"pnpm": "pnpm", "yarn": "yarn", "berry": "@yarnpkg/cli-dist", "bun": "bun"}
"""The package in npm's registry that is the package manager; `berry` is yarn from version 2 on."""
_PNPM_LOCKS = {"5": "7", "6": "8", "9": "10"}
"""The release of pnpm that reads the lock file, by the first number of its `lockfileVersion`."""
_NO_DOWNLOADS = {
    **dict.fromkeys(("PUPPETEER_SKIP_DOWNLOAD", "PUPPETEER_SKIP_CHROMIUM_DOWNLOAD"), "1"),
    **dict.fromkeys(("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "ELECTRON_SKIP_BINARY_DOWNLOAD"), "1"),
    **dict.fromkeys(("CYPRESS_INSTALL_BINARY", "HUSKY", "YARN_ENABLE_TELEMETRY"), "0"),
}
"""Variables with which packages install without downloading programs from other hosts."""
_NODE = f"{HOME}/node"
_RELEASES = (18, 20, 22, 24)
"""Node's releases with long-term support. An image with a version older than the first of these is assumed to be chosen
on purpose."""

_GO_VERSION = re.compile(r"^go\s+(\d{1,9}\.\d{1,9})", re.MULTILINE)

_RUST_VERSION = re.compile(r"""^\s*rust-version\s*=\s*["'](\d{1,9}\.\d{1,9})""", re.MULTILINE)

_LONGEST = 200
"""The maximum number of characters of a version range."""


def node(files: Files, settings: EnvironmentOptions, folder: str = "") -> Plan | None:
    """Return the plan for a `package.json`, with the package manager of the lock file beside it."""
    manifest = folder + "package.json"
    if manifest not in files:
        return None
    package = _json(files[manifest])
    manager, _, version = str(package.get("packageManager", "")).partition("@")
    known = [name for name in _NODE_LOCKS if folder + name in files]
    lock = next((name for name in known if _NODE_LOCKS[name] == manager), known[0] if known else "")
    text = files[folder + lock] if lock else b""
    manager, version = _package_manager(lock, text, version if _NODE_LOCKS.get(lock) == manager else "")
    others = [name for name in known if _NODE_LOCKS[name] != _NODE_LOCKS[lock]]
    reason = f"{lock or 'package.json'} says which packages" + (f", not {', '.join(others)}" if others else "")
    wanted = _with_manager(_with_packages(_node_version(package), package, text), manager, version)
    image, why = choose_image("node", wanted, settings.images)
    newer = _newer_node(wanted)
    commands = [*newer, Command(_node_install(manager, version), reason)]
    inputs = ("package.json", *_NODE_LOCKS, ".npmrc", ".yarnrc", ".yarnrc.yml", "pnpm-workspace.yaml")
    plan = _plan("node", image, why, commands, files, folder, inputs, _NO_DOWNLOADS)
    return replace(plan, paths=(f"{_NODE}/bin",)) if newer else plan


def _package_manager(lock: str, text: bytes, named: str) -> tuple[str, str]:
    """Return the package manager of a lock file with its `text`, as in _NODE_INSTALL ("" without a lock file), and its
    version: the one that package.json has `named`, else one that reads the lock file; "" for any."""
    manager = _NODE_LOCKS.get(lock, "")
    if manager == "yarn" and re.search(rb"^__metadata:", text, re.MULTILINE):
        manager = "berry"
    if manager in ("", "npm", "bun"):  # set-up's proxy refuses how some versions of bun open connections
        return manager, ""
    exact = re.match(r"(\d{1,9})(?:\.\d{1,9}){0,2}(?:-[\w.]+)?", named)
    if exact and (manager == "pnpm" or (int(exact[1]) >= 2) == (manager == "berry")):
        return manager, exact[0]
    form = re.match(rb"lockfileVersion: *'?(\d)", text)
    fitting = {"pnpm": _PNPM_LOCKS.get(form[1].decode(), "") if form else "", "berry": "4", "yarn": "1"}
    return manager, fitting[manager]


def _node_install(manager: str, version: str) -> str:
    """Return the command that installs the packages, after the package manager if the image may lack it."""
    install = _NODE_INSTALL[manager]
    if manager not in _NODE_PACKAGE:
        return install
    package = _NODE_PACKAGE[manager] + (f"@{version}" if version else "")
    # The image may have another yarn, which npm replaces only if it is forced to.
    return f"npm install --global --force --no-audit --no-fund {package} && {install}"


def _newer_node(wanted: WantedVersion) -> list[Command]:
    """Return the commands that install Node from npm's registry, if the image's may be too old for the repository."""
    fitting = [major for major in _RELEASES if wanted.fits((major,))]
    if not fitting or fitting[0] == _RELEASES[0]:
        return []
    kind = "node-linux-$(uname -m | sed 's/x86_64/x64/;s/aarch64/arm64/')"
    old = f"[ \"$(node -p 'parseInt(process.versions.node)')\" -ge {fitting[0]} ]"
    get = f"npm install --global --no-audit --no-fund --prefix {_NODE} {kind}@{fitting[0]} npm@10"
    return [Command(f"{old} || {get}", f"package.json: {wanted.why}", optional=True)]


def go(files: Files, settings: EnvironmentOptions, folder: str = "") -> Plan | None:
    """Return the plan for a `go.mod`: it fetches modules and compiles the tests once, which fills the build cache."""
    if folder + "go.mod" not in files:
        return None
    named = _GO_VERSION.search(files[folder + "go.mod"].decode("utf-8", "replace"))
    least = parse_version(named[1]) if named else ()
    wanted = WantedVersion(lambda version: version >= least, (), f"go.mod asks for {named[1] if named else 'none'}")
    image, why = choose_image("go", wanted, settings.images)
    flags = "GOFLAGS=-mod=mod " if folder + "vendor/modules.txt" not in files else ""  # later, go.mod stays as it is
    commands = [
        Command(f"{flags}go mod download", "go.mod says which modules"),
        Command(f"{flags}go test -run '^$' ./... || true", "tests compile faster with a filled build cache"),
    ]
    variables = {"GOMODCACHE": f"{HOME}/go"}
    return _plan("go", image, why, commands, files, folder, ("go.mod", "go.sum", "go.work"), variables)


def rust(files: Files, settings: EnvironmentOptions, folder: str = "") -> Plan | None:
    """Return the plan for a `Cargo.toml`: it fetches the crates and compiles them with the tests."""
    if folder + "Cargo.toml" not in files:
        return None
    named = _RUST_VERSION.search(files[folder + "Cargo.toml"].decode("utf-8", "replace"))
    least = parse_version(named[1]) if named else ()
    wanted = WantedVersion(lambda version: version >= least, (), f"Cargo.toml asks for {named[1]}") if named else None
    image, why = choose_image("rust", wanted or WantedVersion(), settings.images)
    commands = [
        Command("cargo fetch", "Cargo.toml says which crates"),
        Command("cargo test --no-run", "crates are compiled once"),
    ]
    variables = {"CARGO_HOME": f"{HOME}/cargo"}
    return _plan("rust", image, why, commands, files, folder, ("Cargo.toml", "Cargo.lock"), variables)


def java(files: Files, settings: EnvironmentOptions, folder: str = "") -> Plan | None:
    """Return the plan for a `pom.xml`. Maven fetches plug-ins only when it runs them, so the tests are compiled, and
    the project is packaged if there are tests of the package."""
    if folder + "pom.xml" not in files:
        return None
    image, why = choose_image("java", WantedVersion(), settings.images)
    poms = (data.decode("utf-8", "replace") for path, data in files.items() if path.endswith("pom.xml"))
    phase = "verify" if any(map(FAILSAFE.search, poms)) else "test-compile"
    command = Command(f"mvn -B -ntp -DskipTests {phase} surefire:help", "pom.xml says which artifacts")
    return _plan("java", image, why, [command], files, folder, ("pom.xml",))


def ruby(files: Files, settings: EnvironmentOptions, folder: str = "") -> Plan | None:
    """Return the plan for a `Gemfile`."""
    if folder + "Gemfile" not in files:
        return None
    image, why = choose_image("ruby", WantedVersion(), settings.images)
    command = Command("bundle install", "Gemfile says which gems")
    return _plan("ruby", image, why, [command], files, folder, ("Gemfile", "Gemfile.lock"))


def php(files: Files, settings: EnvironmentOptions, folder: str = "") -> Plan | None:
    """Return the plan for a `composer.json`."""
    if folder + "composer.json" not in files:
        return None
    image, why = choose_image("php", WantedVersion(), settings.images)
    command = Command("composer install --no-interaction", "composer.json says which packages")
    return _plan("php", image, why, [command], files, folder, ("composer.json", "composer.lock"))


PLANNERS: tuple[Callable[[Files, EnvironmentOptions, str], Plan | None], ...] = (go, rust, node, java, ruby, php)


def _plan(
    language: str,
    image: str,
    why: str,
    commands: list[Command],
    files: Files,
    folder: str,
    inputs: tuple[str, ...],
    variables: dict[str, str] | None = None,
) -> Plan:
    return Plan(
        source=OWN_FILES,
        image=image,
        language=language,
        setup=tuple(commands),
        variables={name: value for name, value in (variables or {}).items() if value},
        reasons=(why,),
        inputs=tuple(path for path in files if path.rpartition("/")[2] in inputs),
    )


def _node_version(manifest: dict[str, Any]) -> WantedVersion:
    """Return the version that `engines.node` asks for."""
    wanted_range = _node_range(manifest)
    if not wanted_range:
        return WantedVersion(why="package.json names no version of Node")
    return WantedVersion(lambda version: _fits(version, wanted_range), (), f"it asks for {wanted_range}")


def _node_range(manifest: dict[str, Any]) -> str:
    """Return the range of `engines.node` in a manifest; "" if there is none."""
    wanted_range = _table(manifest.get("engines")).get("node")
    return wanted_range if isinstance(wanted_range, str) and len(wanted_range) <= _LONGEST else ""


def _fits(version: Version, wanted_range: str) -> bool:
    """Whether a version is in a range in one of its usual forms; only major versions are compared."""
    return any(_in_range(version, one) for one in wanted_range.split("||"))


def _with_packages(wanted: WantedVersion, package: dict[str, Any], lock: bytes) -> WantedVersion:
    """Return the versions that the direct dependencies support too, as npm's lock file says; if no release fits all of
    them, those of the package alone."""
    locked = _table(_json(lock).get("packages"))
    direct = {name for key in ("dependencies", "devDependencies") for name in _table(package.get(key))}
    asked = {name: _node_range(_table(locked.get(f"node_modules/{name}"))) for name in sorted(direct)}
    ranges = {name: each for name, each in asked.items() if each}
    alone = [(major,) for major in _RELEASES if wanted.fits((major,))]
    fitting = [version for version in alone if all(_fits(version, each) for each in ranges.values())]
    if not fitting or fitting == alone:
        return wanted
    name = next(name for name, each in ranges.items() if not all(_fits(version, each) for version in alone))
    return WantedVersion(
        lambda version: wanted.fits(version) and all(_fits(version, each) for each in ranges.values()),
        (),
        f"{name} needs Node {ranges[name]}",
    )


def _with_manager(wanted: WantedVersion, manager: str, version: str) -> WantedVersion:
    """Return the versions on which the package manager runs, too."""
    major = version.partition(".")[0]
    is_new = manager == "pnpm" and major.isdigit() and int(major) >= 11
    if not is_new or not any(wanted.fits((release,)) for release in _RELEASES if release >= 22):
        return wanted
    return WantedVersion(lambda one: one[0] >= 22 and wanted.fits(one), (), f"pnpm {major} needs Node 22")


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _in_range(version: Version, wanted_range: str) -> bool:
    """Return whether a major version is in a range such as `>=14`, `^18.2 `, `14.x` or `>=14 <19`."""
    for sign, number in re.findall(r"([<>=^~]*)\s*v?(\d{1,9})", re.sub(r"\.\d+|\.x", "", wanted_range)):
        major = int(number)
        if sign.startswith(">") and version[0] < major:
            return False
        if (sign == "<" and version[0] >= major) or (sign == "<=" and version[0] > major):
            return False
        if sign in ("", "=", "^", "~") and version[0] != major:
            return False
    return True


def _json(data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
