"""Documentation of an installed Python package or a name in it: prints one JSON line.

Runs under the target's Python (3.7 and later, standard library only) as `package_docs.py NAME IMPORT`. Sources are read
and parsed, not imported; what is compiled or made at import is imported and inspected if IMPORT is `1`. The JSON keys
are "name", "kind", "signature", "doc", "source", "path", "line", "members", "distribution", "version" and "changelog",
or, for an unknown name, "known" (the part of the name that exists) and "near".
"""

import ast
import contextlib
import difflib
import importlib
import importlib.machinery
import inspect
import json
import os
import re
import sys

MOST_TEXT, MOST_NAMES, MOST_HOPS = 200000, 300, 12
CHANGELOG = re.compile(r"(?i)(?:^|/)(?:change(?:s|log)|history|news|release[-_]?notes)(?:\.\w+)?$")
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def read(path):
    with open(path, encoding="utf-8", errors="replace") as opened:
        return opened.read(4000000)


class Unknown(Exception):
    """The name `known` exists, but has no member `name`; `names` are those that it has."""

    def __init__(self, known, name, names):
        super().__init__(known)
        self.known, self.name, self.names = known, name, names


class Module:
    """A module that is found but not imported."""

    def __init__(self, name, spec):
        self.name, self.folders = name, list(spec.submodule_search_locations or ())
        origin = spec.origin or ""
        self.path = origin if origin.endswith(".py") else ""
        for stub in (os.path.splitext(origin)[0].split(".")[0] + ".pyi",) if origin and not self.path else ():
            self.path = stub if os.path.exists(stub) else ""
        self.is_compiled = not self.path and not self.folders
        self.text = read(self.path) if self.path else ""
        try:
            self.body = ast.parse(self.text).body
        except (SyntaxError, ValueError, RecursionError):
            self.body = []

    def submodule(self, name):
        return find_module("%s.%s" % (self.name, name), self.folders) if self.folders else None

    def names(self):
        found = [name for name, _ in members(self.body)]
        for folder in self.folders:
            entries = os.listdir(folder) if os.path.isdir(folder) else []
            found += [entry.split(".")[0] for entry in entries if entry.endswith((".py", ".so")) or "." not in entry]
        return [name for name in found if name.isidentifier() and not name.startswith("__")]


def find_module(name, folders=None):
    finders = [importlib.machinery.PathFinder]
    if not folders:
        finders += [importlib.machinery.BuiltinImporter, importlib.machinery.FrozenImporter]
    for finder in finders:
        spec = finder.find_spec(name, folders)
        if spec is not None:
            return Module(name, spec)
    return None


def members(body):
    """Yield the names that statements bind, each with its statement; those of branches too."""
    for one in body:
        if isinstance(one, DEFINITIONS):
            yield one.name, one
        elif isinstance(one, (ast.Import, ast.ImportFrom)):
            for alias in one.names:
                yield alias.asname or alias.name.split(".")[0], one
        elif isinstance(one, (ast.Assign, ast.AnnAssign)):
            for target in one.targets if isinstance(one, ast.Assign) else [one.target]:
                if isinstance(target, ast.Name):
                    yield target.id, one
        elif isinstance(one, (ast.If, ast.Try, ast.With)):
            for part in ("body", "orelse", "finalbody", "handlers"):
                for inner in getattr(one, part, ()):
                    for pair in members(inner.body if isinstance(inner, ast.ExceptHandler) else [inner]):
                        yield pair


def resolve(module, parts, hops=0):
    """Return the module and the statement that a dotted name in it refers to; the statement is None for a module."""
    if not parts or hops > MOST_HOPS:
        return module, None
    name, rest = parts[0], parts[1:]
    for node in [node for found, node in members(module.body) if found == name]:
        if isinstance(node, ast.ImportFrom):
            target = imported(module, node, name)
            if target:
                try:
                    return resolve(target[0], target[1] + rest, hops + 1)
                except Unknown as error:
                    if error.name in rest:
                        raise
        elif isinstance(node, ast.ClassDef) and rest:
            return module, member_of_class(module, node, rest)
        elif not isinstance(node, ast.Import):
            return module, node
    inner = module.submodule(name)
    if inner:
        return resolve(inner, rest, hops + 1)
    names = module.names()
    for node in module.body:  # names of `from x import *`
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
            target = imported(module, node, "*")
            if target:
                try:
                    return resolve(target[0], parts, hops + 1)
                except Unknown as error:
                    if error.name != name:
                        raise
                    names += error.names
    raise Unknown(module.name, name, names)


def member_of_class(module, node, parts):
    for found, one in members(node.body):
        if found == parts[0]:
            return member_of_class(module, one, parts[1:]) if parts[1:] and isinstance(one, ast.ClassDef) else one
    raise Unknown("%s.%s" % (module.name, node.name), parts[0], [name for name, _ in members(node.body)])


def imported(module, node, name):
    """Return the module from which `from ... import` takes a name, and the name's parts in it; None if not found."""
    original = next((alias.name for alias in node.names if (alias.asname or alias.name) == name), name)
    package = module.name if module.folders else module.name.rpartition(".")[0]
    for _ in range(node.level - 1):
        package = package.rpartition(".")[0]
    full = ".".join(part for part in ((package if node.level else ""), node.module or "") if part)
    found = find_dotted(full.split("."))
    return (found, [] if name == "*" else [original]) if found else None


def find_dotted(parts):
    found = find_module(parts[0])
    for part in parts[1:]:
        found = found and found.submodule(part)
    return found


def signature(text, node):
    """Return the header of a definition, without decorators."""
    lines = text.split("\n")
    first = node.lineno - 1
    while first < len(lines) - 1 and not re.match(r"\s*(?:async\s+)?(?:def|class)\b", lines[first]):
        first += 1  # before Python 3.8, a definition begins with its decorators
    inner = node.body[0]
    start = min([inner.lineno] + [one.lineno for one in getattr(inner, "decorator_list", ())])
    last = max(first + 1, start - 1)
    header = " ".join(line.strip() for line in lines[first:last])
    return header.split(' """')[0].strip()


def end_of(node):
    return getattr(node, "end_lineno", None) or max(getattr(one, "lineno", 0) for one in ast.walk(node))


def describe(module, node):
    found = {"path": module.path, "line": 1, "name": module.name}
    if node is None:
        public = [name for name, one in members(module.body) if not name.startswith("_")]
        text = ast.get_docstring(ast.Module(module.body, []) if sys.version_info >= (3, 8) else ast.Module(module.body))
        return dict(found, kind="module", doc=text or "", members=list(dict.fromkeys(public or module.names())))
    lines = module.text.split("\n")
    first = min([node.lineno] + [one.lineno for one in getattr(node, "decorator_list", ())])
    source = "\n".join(lines[first - 1 : end_of(node)])
    found.update(line=first, source=source, name="%s.%s" % (module.name, getattr(node, "name", "")))
    if not isinstance(node, DEFINITIONS):
        return dict(found, kind="value", name=module.name)
    found.update(signature=signature(module.text, node), doc=ast.get_docstring(node) or "")
    if isinstance(node, ast.ClassDef):
        methods = [one for one in node.body if isinstance(one, DEFINITIONS)]
        found["members"] = [signature(module.text, one) for one in methods]
    return dict(found, kind="class" if isinstance(node, ast.ClassDef) else "function")


def inspected(parts):
    """Describe a compiled module or a name in it by importing it."""
    module = None
    for count in range(len(parts), 0, -1):
        try:
            module = importlib.import_module(".".join(parts[:count]))
        except ImportError:
            continue
        break
    if module is None:
        raise Unknown("", parts[0], sorted(sys.builtin_module_names))
    value, known = module, ".".join(parts[:count])
    for part in parts[count:]:
        if not hasattr(value, part):
            raise Unknown(known, part, dir(value))
        value, known = getattr(value, part), "%s.%s" % (known, part)
    try:
        header = "%s%s" % (parts[-1], inspect.signature(value))
    except (TypeError, ValueError):
        header = ""
    found = {"kind": "imported " + type(value).__name__, "name": known, "signature": header}
    with contextlib.suppress(TypeError, OSError):
        found["source"] = inspect.getsource(value)
    return dict(found, doc=inspect.getdoc(value) or "", members=[name for name in dir(value) if name[0] != "_"])


def distribution(top):
    """Return name, version and changelog of the distribution that has a top-level module."""
    for folder in sys.path:
        entries = os.listdir(folder) if os.path.isdir(folder) else []
        for entry in sorted(entries):
            if not entry.endswith(".dist-info"):
                continue
            name, _, version = entry[: -len(".dist-info")].partition("-")
            record = os.path.join(folder, entry, "RECORD")
            files = re.findall(r"(?m)^([^,\n]+),", read(record)) if os.path.exists(record) else []
            if name.lower() == top.lower() or any(one.startswith((top + "/", top + ".")) for one in files):
                return {"distribution": name, "version": version, "changelog": changelog(folder, files, top, version)}
    return {}


def changelog(folder, files, top, version):
    """Return what the package's own changelog says about its version, or the changelog's beginning."""
    for path in files:
        inside = path.startswith(top + "/") or ".dist-info/" in path or path.count("/") == 0
        if inside and ".." not in path and CHANGELOG.search(path) and os.path.isfile(os.path.join(folder, path)):
            lines = read(os.path.join(folder, path)).split("\n")
            heading = re.compile(r"(?<![\d.])%s(?![\d.]*\d)" % re.escape(version))
            start = next((number for number, line in enumerate(lines) if heading.search(line)), 0)
            return "%s\n%s" % (path, "\n".join(lines[start : start + 40]))
    return ""


def main(name, may_import):
    parts = [part for part in name.split(".") if part]
    module = find_module(parts[0])
    try:
        if module is None:
            tops = {
                entry.split(".")[0].split("-")[0]
                for folder in sys.path
                if os.path.isdir(folder)
                for entry in os.listdir(folder)
            }
            raise Unknown("", parts[0], sorted(tops | set(sys.builtin_module_names)))
        try:
            found = {} if module.is_compiled else describe(*resolve(module, parts[1:]))
        except Unknown:
            if not may_import:
                raise
            found = {}
        if not found and may_import:
            found = inspected(parts)
        found = found or {"kind": "compiled module", "name": module.name}
        found.update(distribution(parts[0]), name=found["name"])
        found["members"] = found.get("members", [])[:MOST_NAMES]
    except Unknown as error:
        near = difflib.get_close_matches(error.name, error.names, 8, 0.5)
        partial = [one for one in error.names if error.name.lower() in one.lower()]
        found = {"known": error.known, "near": list(dict.fromkeys(near + partial))[:12]}
    text = {key: value[:MOST_TEXT] if isinstance(value, str) else value for key, value in found.items()}
    sys.stdout.write("\n%s\n" % json.dumps(text))


if __name__ == "__main__":
    sys.path[:] = [folder for folder in sys.path[1:] if folder]
    main(sys.argv[1], sys.argv[2] == "1")
