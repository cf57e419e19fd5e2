"""The `docs` tool: signature, docstring, source and changelog of an installed dependency.

An agent that acts in an interpreter, as in CodeAct (arXiv 2402.01030) and OpenHands (arXiv 2407.16741), reads an
installed package to learn which interface it has. This tool reads it without importing it.
"""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

from aci.repository.test_files import belongs_to_tests
from aci.runtime.guest_programs import parse_object, program_source
from aci.runtime.target_function import PYTHON
from aci.runtime.workspace import HARNESS_SESSION
from tools.base import ConsentQuestion, Context, TextSource, ToolCall, tool
from trajectories.errors import UsageError
from trajectories.records import Observation

SECONDS = 60.0
MOST_LINES, MOST_OF_FILE, MOST_MANIFESTS = 160, 400_000, 200
"""Maximum numbers of lines of source, of bytes read of a Node package's file, and of manifests."""
NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
NODE_NAME = re.compile(r"(?:@[\w.-]+/)?[\w-][\w.-]*(?:/[\w.-]+)*")


def ask_about_python(call: ToolCall) -> ConsentQuestion | None:
    """Ask before Python starts, since it runs what the environment installed for each start."""
    name = _plain(call.arguments["name"])
    if not NAME.fullmatch(name):
        return None
    command = f"python package_docs.py {name}"
    return ConsentQuestion("Read the documentation of an installed package with this command on this machine?", command)


@tool(
    writes=False,
    needs="conversation",
    kind="view",
    text=TextSource("program", "The documentation of {}", "name"),
    consent=ask_about_python,
)
def docs(ctx: Context, name: str) -> Observation:
    """Show an installed dependency: its version, and the signature, docstring and source of a name in it.

    Args:
        name: Like `package`, `package.module.Class.method`, or a Node package such as `@scope/package`.
    """
    name = _plain(name)
    if not (NAME.fullmatch(name) or NODE_NAME.fullmatch(name)) or len(name) > 200:
        raise UsageError(f"`{name[:100]}` is no name of a package.", "Write it like `package.module.name`.")
    if where := _own_module(ctx, name) or _own_node_package(ctx, name):
        raise UsageError(f"{name} is part of this repository: {where}.", "Use `symbols` or `view`.")
    found = _installed(ctx, name) if NAME.fullmatch(name) else {"near": []}
    if "near" not in found:
        return _shown(ctx, _format(found))
    if text := _node_package(ctx, name):
        return _shown(ctx, text)
    near = ", ".join(_words(found["near"]))
    known = str(found.get("known", ""))
    what = f"{known} has no such name" if known else "No such package is installed"
    raise UsageError(
        f"{what}: `{name}`.", f"Similar: {near}." if near else "Use `search` in the repository's manifests."
    )


def _plain(name: str) -> str:
    return name.strip().strip("`'\"")


def _own_module(ctx: Context, name: str) -> str:
    """Return the path of the repository's own module that a name begins with; "" if there is none. An installed copy
    may hold another version, even the fix.

    A package counts in any folder but those of tests, a single module in the usual folders. Only the part of a name
    that leads to an `__init__.py` counts, since a namespace may be shared with other distributions.
    """
    files = ctx.trees.files(ctx.tree)
    parts = name.split(".")
    for top in ("/".join(parts[:count]) for count in range(1, len(parts) + 1)):
        modules = [root + f"{top}.py" for root in ("", "src/", "lib/")]
        packages = [path for path in files if f"/{path}".endswith(f"/{top}/__init__.py")]
        for path in (*(one for one in modules if one in files), *packages):
            above = path.removesuffix(f"{top}/__init__.py")
            if path in modules or not (f"{above}__init__.py" in files or belongs_to_tests(path)):
                return path
    return ""


def _own_node_package(ctx: Context, name: str) -> str:
    """Return the path of the manifest of the repository's own Node package that a name begins with; "" if there is
    none."""
    manifests = [path for path in ctx.trees.files(ctx.tree) if f"/{path}".endswith("/package.json")]
    for path in (path for path in manifests[:MOST_MANIFESTS] if not belongs_to_tests(path)):
        own = (parse_object(ctx.trees.read(ctx.tree, path)) or {}).get("name")
        if isinstance(own, str) and own and f"{name}/".startswith((f"{own}/", f"{own}.")):
            return path
    return ""


def _installed(ctx: Context, name: str) -> dict[str, Any]:
    """Return what the guest program found, which is untrusted."""
    workspace = ctx.workspace
    program = f"{workspace.harness}/docs/package_docs.py"
    workspace.write(program, program_source("package_docs/package_docs.py"))
    words = shlex.join([program, name, "1" if ctx.may_run else "0"])
    ran = workspace.run(
        f"(cd {shlex.quote(workspace.scratch)} && {PYTHON} {words} 2>/dev/null)", SECONDS, HARNESS_SESSION
    )
    line = ran.output.strip().rpartition(b"\n")[2]
    return parse_object(line) or {"near": []}


def _words(value: object) -> list[str]:
    return [str(one)[:200] for one in value] if isinstance(value, list) else []


def _format(found: dict[str, Any]) -> str:
    text = {key: str(value) for key, value in found.items()}
    version = f" ({text['distribution']} {text.get('version', '')})" if text.get("distribution") else ""
    place = f" {text['path']}:{text.get('line', '1')}" if text.get("path") else ""
    parts = [f"{text.get('name', '')}: {text.get('kind', '')}{version}{place}", text.get("signature", "")]
    source = text.get("source", "").split("\n")
    is_short = len(source) <= MOST_LINES
    if text.get("source") and (is_short or text.get("kind") != "class"):
        parts += ["\n".join(source[:MOST_LINES])]
        parts += [] if is_short else [f"… {len(source) - MOST_LINES} more lines"]
    else:
        parts += [text.get("doc", ""), "\n".join(f"  {one}" for one in _words(found.get("members")))]
    changes = text.get("changelog", "")
    return "\n\n".join([part for part in parts if part.strip()] + ([f"Its changelog, {changes}"] if changes else []))


def _node_package(ctx: Context, name: str) -> str:
    """Return version, declarations and README of a package in `node_modules`, or of a name in its declarations; "" if
    there is none."""
    package, member = name, ""
    manifest = _read(ctx, f"node_modules/{package}/package.json")
    if not manifest and "." in name:
        package, _, member = name.rpartition(".")
        manifest = _read(ctx, f"node_modules/{package}/package.json")
    about = parse_object(manifest.encode()) or {}
    if not about:
        return ""
    types = str(about.get("types") or about.get("typings") or "index.d.ts").removeprefix("./")
    declared = _read(ctx, f"node_modules/{package}/{types}") or _read(ctx, f"node_modules/@types/{package}/index.d.ts")
    lines = declared.split("\n")
    if member:
        found = [number for number, line in enumerate(lines) if re.search(rf"\b{re.escape(member)}\b", line)][:8]
        lines = [
            f"{number + 1}: {line}" for start in found for number, line in enumerate(lines[start : start + 6], start)
        ]
    text = "\n".join(lines[:MOST_LINES]) or _read(ctx, f"node_modules/{package}/README.md")[:6_000]
    return f"{package} {json.dumps(about.get('version'))} (node_modules/{package}/{types})\n\n{text}"


def _read(ctx: Context, path: str) -> str:
    try:
        return ctx.workspace.read(path, MOST_OF_FILE).decode("utf-8", "replace")
    except (OSError, UsageError):
        return ""


def _shown(ctx: Context, text: str) -> Observation:
    shown, number = ctx.show(text, "view")
    return Observation(shown, out=number)
