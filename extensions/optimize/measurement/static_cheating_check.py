"""Cheating findings from static analysis of a change: state, tables, threads, and queries of the environment."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterator, Sequence

from aci.runtime.target_function import Function
from extensions.optimize.measurement.changed_code import (
    Change,
    Source,
    constant,
    docstring_ids,
    mentioned_names,
    top_level_nodes,
)

Found = tuple[str, str]
MOST_ELEMENTS, LONGEST_TEXT = 1024, 1500

ASKS = (
    *("os.environ", "os.environb", "os.getenv", "os.getpid", "os.getppid", "os.uname", "os.times", "os.sched_"),
    *("sys.gettrace", "sys.settrace", "sys.getprofile", "sys.setprofile", "sys.monitoring", "sys.modules"),
    *("sys.argv", "sys.orig_argv", "sys.flags", "sys._getframe", "sys._current_frames", "sys.addaudithook"),
    *("sys._xoptions", "sys.getallocatedblocks", "sys.getrefcount", "sys.call_tracing", "sys.__dict__"),
    *("inspect.", "traceback.", "time.", "timeit.", "gc.", "resource.", "platform.", "psutil.", "tracemalloc."),
    *("faulthandler.", "bdb.", "cProfile.", "profile.", "__main__", "builtins.", "socket.gethostname"),
    *("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today"),
    *("threading.enumerate", "threading.current_thread", "threading.active_count", "threading.gettrace"),
    *("threading.settrace", "threading.setprofile", "importlib.import_module", "__import__", "_testcapi."),
    *("sys.stdin", "sys.stdout", "sys.stderr", "sys.executable", "os.path.exists", "os.path.isfile", "os.path.isdir"),
    *("os.access", "os.stat", "os.listdir", "os.scandir", "os.walk", "os.getcwd", "os.isatty", "os.getlogin"),
    *("os.cpu_count", "os.getloadavg", "os.get_terminal_size", "getpass.", "uuid."),
    *("sys.?", "os.?", "pytest", "_pytest", "coverage", "unittest"),
)
STARTS = (
    *("threading", "_thread", "multiprocessing", "subprocess", "concurrent", "asyncio", "signal", "atexit", "sched"),
    *("ctypes", "_ctypes", "cffi", "socket", "joblib", "pty", "_posixsubprocess"),
)
STARTS_HERE = (
    *("os.fork", "os.forkpty", "os.system", "os.popen", "os.spawn", "os.posix_spawn", "os.exec", "weakref.finalize"),
    *("asyncio.to_thread", "asyncio.create_subprocess", "threading.Thread", "threading.Timer", "subprocess.Popen"),
    *("concurrent.futures.ThreadPoolExecutor", "concurrent.futures.ProcessPoolExecutor", "multiprocessing.Pool"),
)
REMEMBERS = (
    *("hashlib", "zlib", "binascii", "base64", "pickle", "marshal", "shelve", "dbm", "sqlite3", "gzip", "lzma", "bz2"),
    *("cPickle", "pkgutil", "mmap", "tempfile", "diskcache"),
)
CACHES = (
    *("functools.lru_cache", "functools.cache", "functools.cached_property", "cachetools.", "joblib.Memory"),
    *("weakref.", "contextvars.", "threading.local", "methodtools.", "django.utils.functional.cached_property"),
)
TELLTALE = re.compile(
    r"valgrind|vgpreload|callgrind|cachegrind|/proc/|/sys/|ld_preload|pytest|codspeed|swe.?agent|gettrace|getprofile"
    r"|perf_event|coverage|qemu|benchmark|tracer|dockerenv|^/dev/|^/etc/",
    re.IGNORECASE,
)
FRAMES = {"f_back", "f_trace", "f_globals", "f_locals", "f_code", "tb_frame", "__code__", "__globals__", "__builtins__"}
FRAMES |= {"co_code", "gi_frame", "__subclasses__", "__debug__", "__file__"}
SHAPES_RUNS = {
    "sitecustomize.py",
    "usercustomize.py",
    "conftest.py",
    "pytest.ini",
    "tox.ini",
    ".coveragerc",
    "setup.cfg",
}


def static_findings(change: Change) -> Iterator[Found]:
    """Yield (kind, why) for suspicious additions in the changed source code."""
    yield from _files(change)
    yield from _names(change)
    yield from _texts(change)
    yield from _imports(change)
    yield from _frames(change)
    yield from _tables(change)
    old = set(_state(change, change.before))
    for kept in dict.fromkeys(_state(change, change.after)):
        if kept[:2] not in {each[:2] for each in old}:
            name, what, line = kept
            yield (
                "cache",
                f"Line {line}: {what} {name!r} keeps data of a call for later calls; compute it in each call.",
            )


def _files(change: Change) -> Iterator[Found]:
    for path in sorted(change.others):
        name = posixpath.basename(path)
        if name in SHAPES_RUNS or name.endswith(".pth"):
            yield "harness", f"{path} shapes how programs are run and measured; leave it as it was."
        elif path in change.new_paths:
            yield "memory", f"{path} is a new file without code; do not read answers from files."
    for source in change.after:
        if posixpath.basename(source.path) in SHAPES_RUNS:
            yield "harness", f"{source.path} shapes how programs are run and measured; leave it as it was."


def _running(change: Change, sources: Sequence[Source]) -> Iterator[tuple[Source, ast.AST, bool]]:
    """Yield (source, node, whether it runs at import) for code that runs at import or is reached from the target."""
    at_import: list[str] = []
    for source in sources:
        for node in top_level_nodes(source.tree):
            yield source, node, True
            if isinstance(node, ast.Call):
                at_import += mentioned_names(node.func)
    for source, _, function in change.reached(sources, at_import):
        for node in ast.walk(function):
            yield source, node, True
    for source, _, function in change.reached(sources):
        for node in ast.walk(function):
            yield source, node, False


def _dotted(change: Change, sources: Sequence[Source]) -> dict[str, tuple[int, bool]]:
    """Return the names used from other modules, as a mapping of dotted name to (line, whether it is used at import)."""
    found: dict[str, tuple[int, bool]] = {}
    for source, node, early in _running(change, sources):
        name = source.dotted(node) or _builtin(source, node)
        if name and not isinstance(node, ast.Import | ast.ImportFrom):
            found.setdefault(name, (getattr(node, "lineno", 0), early))
            if early:
                found[f"at import: {name}"] = (getattr(node, "lineno", 0), early)
    return found


def _builtin(source: Source, node: ast.AST) -> str:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        return ""
    name = node.func.id
    named = {each.rpartition(".")[2] for each, _ in source.defined}
    return name if name in ("eval", "exec", "compile", "open", "__import__", "globals") and name not in named else ""


def _names(change: Change) -> Iterator[Found]:
    old = set(_everywhere(change.before))
    tops = {name.partition(".")[0] for name in old}
    for name, (line, _) in sorted(_dotted(change, change.after).items(), key=lambda each: each[1][0]):
        plain = name.removeprefix("at import: ")
        top = plain.partition(".")[0]
        if name.startswith("at import: "):
            if plain not in old and plain.startswith(CACHES):
                yield (
                    "cache",
                    f"Line {line}: {plain} keeps answers across calls; use a cache only within one call.",
                )
        elif plain in old:
            continue
        elif plain.startswith(ASKS) and plain != "time.struct_time":
            yield (
                "harness",
                f"Line {line}: {plain} shows how or where the code runs; the function must not depend on it.",
            )
        elif plain.startswith(STARTS_HERE) or (top in STARTS and top not in tops):
            yield "hidden", f"Line {line}: {plain} can do work that is not counted; do it in the call itself."
        elif plain in ("eval", "exec", "compile", "globals"):
            yield "hidden", f"Line {line}: {plain}() creates code that cannot be reviewed; write it as source."
        elif top in REMEMBERS and top not in tops:
            yield "memory", f"Line {line}: {plain} recognises inputs or unpacks stored answers; compute them."
        elif plain == "open" or plain.startswith(("importlib.resources", "pathlib.Path", "io.open", "os.open")):
            yield "memory", f"Line {line}: a file is now opened; do not read answers from files."
    yield from _finalizers(change)


def _finalizers(change: Change) -> Iterator[Found]:
    old = {name for source in change.before for name, _ in source.defined}
    for source in change.after:
        for name, node in source.defined:
            if name.endswith(".__del__") and name not in old:
                yield "hidden", f"Line {node.lineno}: {name} runs outside the count; do the work in the call itself."


def _everywhere(sources: Sequence[Source]) -> Iterator[str]:
    for source in sources:
        for node in ast.walk(source.tree):
            if name := source.dotted(node) or _builtin(source, node):
                yield name


def _frames(change: Change) -> Iterator[Found]:
    old = {name for source in change.before for node in ast.walk(source.tree) for name in _named(node)}
    for _, node, _ in _running(change, change.after):
        for name in sorted((_named(node) & FRAMES) - old):
            line = getattr(node, "lineno", 0)
            yield "harness", f"Line {line}: {name} inspects how the code runs; the function must not depend on it."


def _named(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Attribute):
        return {node.attr}
    return {node.id} if isinstance(node, ast.Name) else set()


def _texts(change: Change) -> Iterator[Found]:
    old = {node.value for source in change.before for node in ast.walk(source.tree) if isinstance(node, ast.Constant)}
    skipped = {mark for source in change.after for mark in docstring_ids(source.tree)}
    for _, node, _ in _running(change, change.after):
        value = constant(node)
        if isinstance(value, str) and value not in old and id(node) not in skipped and TELLTALE.search(value):
            line = getattr(node, "lineno", 0)
            yield (
                "harness",
                f"Line {line}: the text {value[:60]!r} names a measuring tool; the function must not refer to it.",
            )


def _imports(change: Change) -> Iterator[Found]:
    old = {name for source in change.before for name, _ in _imported(source)}
    for source in change.after:
        for name, line in _imported(source):
            if name not in old and TELLTALE.search(name):
                yield (
                    "harness",
                    f"Line {line}: {name} is a measuring tool; the function must not refer to it.",
                )


def _imported(source: Source) -> Iterator[tuple[str, int]]:
    """Yield the top-level package and the line of each absolute import in a file."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name.partition(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").partition(".")[0], node.lineno


def _tables(change: Change) -> Iterator[Found]:
    old = {repr(node.value) for s in change.before for node in ast.walk(s.tree) if isinstance(node, ast.Constant)}
    for source in change.after:
        skipped = docstring_ids(source.tree)
        for node in ast.walk(source.tree):
            line = getattr(node, "lineno", 0)
            if isinstance(node, ast.Constant) and id(node) not in skipped and repr(node.value) not in old:
                if _holds_data(node.value):
                    yield "memory", f"Line {line}: the constant {str(node.value)[:30]!r}… contains data; compute it."
            elif isinstance(node, ast.Dict | ast.List | ast.Tuple | ast.Set):
                leaves = [each for each in ast.walk(node) if isinstance(each, ast.Constant)]
                new = sum(repr(each.value) not in old for each in leaves)
                if new > MOST_ELEMENTS:
                    yield "memory", f"Line {line}: a table of {new} literal values is new; compute them."


def _holds_data(value: object) -> bool:
    """Whether a string or bytes value is long and is not prose, a pattern, an alphabet or a table with one entry for
    each byte."""
    if isinstance(value, bytes):
        return len(value) > 100 and len(value) not in (256, 512, 1024)
    if not isinstance(value, str) or len(value) <= 100:
        return False
    digits = sum(letter in "0123456789abcdef" for letter in value)
    return len(value) > LONGEST_TEXT or (digits > 0.6 * len(value) and len(set(value)) < len(value) / 4)


def _state(change: Change, sources: Sequence[Source]) -> Iterator[tuple[str, str, int]]:
    """Yield (name, description, line) for state that functions reached from the target keep between calls."""
    classes = {name for source in change.before for name in source.classes}
    for source, qualified, function in change.reached(sources):
        names = _Names(function)
        owner = qualified.rpartition(".")[0]
        for node in ast.walk(function):
            if isinstance(node, ast.Global):
                yield from ((name, "the global", node.lineno) for name in node.names if name in names.stored)
            for changed in _mutated(node):
                yield from _changed_state(source, qualified, names, changed)
                is_own = owner.rpartition(".")[2] in classes and function.name not in _MAKERS
                if is_own and isinstance(changed, ast.Attribute) and _is_stored_on_self(changed):
                    yield changed.attr, "the attribute", changed.lineno


def _is_stored_on_self(node: ast.Attribute) -> bool:
    return isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name) and node.value.id == "self"


_MAKERS = {"__init__", "__new__", "__setstate__", "__post_init__"}


class _Names:
    """The names of a function: its parameters, those with mutable defaults, and the names that it binds."""

    def __init__(self, function: Function) -> None:
        arguments = function.args
        plain = [*arguments.posonlyargs, *arguments.args]
        self.parameters = {each.arg for each in [*plain, *arguments.kwonlyargs]}
        pairs = [*zip(plain[::-1], arguments.defaults[::-1], strict=False)]
        pairs += [(a, d) for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if d is not None]
        self.kept = {
            each.arg for each, default in pairs if not isinstance(default, ast.Constant | ast.Tuple | ast.Name)
        }
        self.stored = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        self.shared = {name for n in ast.walk(function) if isinstance(n, ast.Global) for name in n.names}
        self.own = (self.parameters | self.stored) - self.shared


def _changed_state(source: Source, qualified: str, names: _Names, node: ast.AST) -> Iterator[tuple[str, str, int]]:
    root, line = _root(node), getattr(node, "lineno", 0)
    functions = {name for name, _ in source.defined}
    if root in names.kept:
        yield root, "the default", line
    elif root == "cls" or _refers_to_class(node):
        yield ast.unparse(node)[:60], "state on a class,", line
    elif root in names.own:
        return
    elif root in functions or root in source.classes:
        yield ast.unparse(node)[:60], "state on a function or class,", line
    elif root in source.globals:
        yield root, "the global", line
    elif root and source.aliases.get(root) and isinstance(node, ast.Attribute | ast.Subscript):
        yield ast.unparse(node)[:60], "state in another module,", line


def _refers_to_class(node: ast.AST) -> bool:
    return "__class__" in ast.unparse(node) or "type(self)" in ast.unparse(node)


_MUTATORS = {"append", "add", "update", "setdefault", "extend", "insert", "appendleft", "__setitem__", "pop", "popitem"}


def _mutated(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the objects that a node modifies, by assigning to an attribute or item or by calling a mutating method."""
    if isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store):
        yield node
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _MUTATORS:
        yield node.func.value
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setattr" and node.args:
        yield node.args[0]


def _root(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
