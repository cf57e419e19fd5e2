"""How a project serves its pages: a named command, or one found by its files."""

from __future__ import annotations

import json
import posixpath
import re
import shlex
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aci.runtime.workspace import HARNESS_SESSION
from trajectories.errors import UsageError

if TYPE_CHECKING:
    from aci.runtime.workspace import Workspace

Look = Callable[[str], str]

LARGEST, MOST_FILES, DEEPEST = 1_000_000, 2_000, 4
MANIFEST, MANAGER = "package.json", "manage.py"
PYTHON_FILES = ("app.py", "wsgi.py", "asgi.py", "main.py", "server.py", "run.py", "application.py", "__init__.py")
PAGE_FOLDERS = ("", "public", "site", "www", "src", "dist", "docs")
"""Folders whose index.html is served, in this order."""
IGNORED = re.compile(r"(?:^|/)(?:node_modules|venv|vendor|\.[^/]+)(?:/|$)")
SCRIPTS = ("dev", "start", "serve", "preview")
SIDE_FOLDERS = re.compile(r"(?:^|/)(?:tests?|__tests__|examples?|fixtures|docs?|benchmarks?|vendor|templates?)(?:/|$)")
"""Folders whose projects are used only if there are no others."""
_HOST, _LONG_PORT = "--host 127.0.0.1", "--port $PORT"
_PORT_OPTION = re.compile(r"\s+(?:--port|-p|-l)[ =]\d{2,5}\b|\bPORT=\d{2,5}\s+")
_NAMED_PORT = re.compile(r"(?:\bport[ =:]|\s-[pl][ =]?|:)(\d{2,5})\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ServerPlan:
    """How the server of a project starts.

    `command` is a shell command, run in `folder` (relative to the repository); its `$PORT` is a free port of the
    workspace. `ports` are tried too, for tools that ignore `$PORT`. If `reloads` is false, the server must be restarted
    after a change of the files. `reason` says where the command comes from.
    """

    command: str
    reason: str
    folder: str = ""
    ports: tuple[int, ...] = ()
    reloads: bool = False


@dataclass(frozen=True, slots=True)
class Tool:
    """A development server of Node's packages: the pattern of its call, the options that set its port, and the port
    that it takes without them."""

    name: str
    call: str
    options: str
    port: int
    reloads: bool = True

    @property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(rf"(?<![\w./@-])(?:{self.call})(?=\s|$)")


_VITE = f"{_LONG_PORT} --strictPort {_HOST}"
TOOLS = (
    Tool("vite", "vite preview", _VITE, 4173, reloads=False),
    Tool("vite", r"vite(?: dev| serve)?(?!\s+(?:build|optimize|preview|dev|serve)\b)", _VITE, 5173),
    Tool("next", "next dev", f"{_LONG_PORT} --hostname 127.0.0.1", 3000),
    Tool("next", "next start", f"{_LONG_PORT} --hostname 127.0.0.1", 3000, reloads=False),
    Tool("nuxt", "nuxi? dev|nuxt", f"{_LONG_PORT} {_HOST}", 3000),
    Tool("webpack", "webpack-dev-server|webpack(?:-cli)? serve", f"{_LONG_PORT} {_HOST} --no-open", 8080),
    Tool("react-scripts", "(?:react-scripts|react-app-rewired|craco) start", "", 3000),
    Tool("vue-cli", "vue-cli-service serve", f"{_LONG_PORT} {_HOST}", 8080),
    Tool("astro", r"astro (?:dev|start)|astro(?!\s+\w)", f"{_LONG_PORT} {_HOST}", 4321),
    Tool("astro", "astro preview", f"{_LONG_PORT} {_HOST}", 4321, reloads=False),
    Tool("svelte-kit", "svelte-kit dev", f"{_LONG_PORT} {_HOST}", 3000),
    Tool("parcel", r"parcel(?: serve)?(?!\s+(?:build|watch|serve)\b)", f"{_LONG_PORT} {_HOST}", 1234),
    Tool("ng", "ng serve", f"{_LONG_PORT} {_HOST}", 4200),
    Tool("http-server", "http-server", "-p $PORT -a 127.0.0.1", 8080),
    Tool("serve", r"npx serve|(?<![\w.] )serve", "-l $PORT", 3000),
)
NODE_SERVER = re.compile(r"(?<![\w./-])(?:node|nodemon|tsx|ts-node|bun|deno)\s")


def find_server(workspace: Workspace) -> ServerPlan | None:
    """Return how the project in a workspace serves its pages: by the command that its options name, or as its files
    say; None if it serves none."""
    if named := workspace.serve:
        return plan_server((), lambda _: "", named)

    def look(path: str) -> str:
        try:
            return workspace.read(path, LARGEST).decode("utf-8", "replace")
        except (OSError, UsageError):
            return ""

    ignored = r"\( -name node_modules -o -name '.*' ! -name . -o -name venv -o -name vendor \) -prune -o"

    def find(names: Collection[str], action: str) -> str:
        chosen = " -o ".join(f"-name {shlex.quote(name)}" for name in names)
        return f"find . -maxdepth {DEEPEST} {ignored} -type f \\( {chosen} \\) {action} | head -n {MOST_FILES}"

    applications = find(PYTHON_FILES, "-exec grep -lE 'Flask|flask|FastAPI|Starlette' {} +")
    command = f"{find((MANIFEST, MANAGER, '*.html'), '-print')}; {applications}"
    found = workspace.run(f"(cd {shlex.quote(workspace.root)} && {{ {command}; }})", 30, HARNESS_SESSION)
    return plan_server([line.removeprefix("./") for line in found.text.splitlines()], look)


def plan_of_tree(files: Iterable[str], look: Look, named: str) -> ServerPlan | None:
    """Return the plan that `find_server` returns for a workspace with these files."""
    near = [path for path in files if path.count("/") < DEEPEST and not IGNORED.search(path)]
    return plan_server(near[:MOST_FILES], look, named)


def plan_server(files: Collection[str], look: Look, named: str = "") -> ServerPlan | None:
    """Return the plan of a named command, else the one of the first project among these files that serves pages;
    projects near the root come first, those of tests and examples last."""
    if named:
        ports = tuple(int(digits) for digits in _NAMED_PORT.findall(named) if int(digits) < 1 << 16)
        return ServerPlan(named, "the setting `serve`", "", ports)
    by_folder: dict[str, set[str]] = {}
    for path in files:
        folder, _, name = path.rpartition("/")
        by_folder.setdefault(folder, set()).add(name)
    folders = sorted(by_folder, key=lambda each: (bool(SIDE_FOLDERS.search(each)), _depth(each), each))
    for folder in folders:
        if plan := next(_plans_of(folder, by_folder[folder], look), None):
            return plan
    return _page_server(by_folder, folders)


def _depth(folder: str) -> int:
    return folder.count("/") + 1 if folder else 0


def _plans_of(folder: str, names: Collection[str], look: Look) -> Iterator[ServerPlan]:
    """Yield the plans for the project in a folder, the likeliest first. A Python project that renders its pages comes
    before a package.json beside it, which often only builds its scripts; one with an API comes after it."""
    scripts = _scripts(look(posixpath.join(folder, MANIFEST))) if MANIFEST in names else {}
    sources = {name: look(posixpath.join(folder, name)) for name in PYTHON_FILES if name in names}
    if MANAGER in names and (plan := _django(folder, look(posixpath.join(folder, MANAGER)))):
        yield plan
    yield from _flask(folder, sources)
    yield from _node_tools(folder, scripts)
    yield from _asgi(folder, sources)
    if NODE_SERVER.search(start := scripts.get("start", "")):
        yield ServerPlan(start, f"the script `start` of {posixpath.join(folder, MANIFEST)}", folder, (3000, 8080))


def _scripts(manifest: str) -> dict[str, str]:
    try:
        scripts = json.loads(manifest)["scripts"]
        return {str(name): text for name, text in scripts.items() if isinstance(text, str)}
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return {}


def _node_tools(folder: str, scripts: dict[str, str]) -> Iterator[ServerPlan]:
    """Yield the scripts that call a known development server. Their text is run without npm, with the port as an option
    of the tool."""
    for name in (name for name in SCRIPTS if name in scripts):
        for tool in TOOLS:
            text = _PORT_OPTION.sub(lambda found: " " if found[0][0].isspace() else "", scripts[name])
            if not (call := tool.pattern.search(text)):
                continue
            command = f"{text[: call.end()]} {tool.options}".rstrip() + text[call.end() :]
            before = [scripts[before]] if (before := f"pre{name}") in scripts else []
            reason = f"the script `{name}` of {posixpath.join(folder, MANIFEST)}, which calls {tool.name}"
            yield ServerPlan(" && ".join([*before, command.strip()]), reason, folder, (tool.port,), tool.reloads)


def _django(folder: str, manager: str) -> ServerPlan | None:
    """Return the plan of a Django project, with a copy of its SQLite database, which is migrated first."""
    settings = re.search(r"DJANGO_SETTINGS_MODULE[\"']\s*,\s*[\"']([\w.]+)[\"']", manager)
    if not settings:
        return None
    start = f"export SWE_AGENT_DJANGO_SETTINGS={settings[1]} DJANGO_SETTINGS_MODULE=django_settings"
    path = 'export PYTHONPATH="$SWE_AGENT_GUEST${PYTHONPATH:+:$PYTHONPATH}"'
    run = (
        "python3 manage.py migrate --noinput --verbosity 0; exec python3 manage.py runserver --noreload 127.0.0.1:$PORT"
    )
    return ServerPlan(f"{start}; {path}; {run}", f"{posixpath.join(folder, MANAGER)} of Django", folder)


def _flask(folder: str, sources: dict[str, str]) -> Iterator[ServerPlan]:
    for name, text in sources.items():
        variable = re.search(r"^(\w+)\s*(?::.*)?=\s*(?:flask\.)?Flask\(", text, re.MULTILINE)
        factory = re.search(r"^def ((?:create|make)_app)\(", text, re.MULTILINE)
        if not re.search(r"\bflask\b", text) or not (found := variable or factory):
            continue
        place, module = _module(folder, name)
        if not module:
            continue
        app = f"{module}:{found[1]}" + ("" if variable else "()")
        command = f"FLASK_APP={shlex.quote(app)} exec python3 -m flask run --host 127.0.0.1 --port $PORT --no-reload"
        yield ServerPlan(command, f"the Flask application in {posixpath.join(folder, name)}", place)


def _asgi(folder: str, sources: dict[str, str]) -> Iterator[ServerPlan]:
    for name, text in sources.items():
        if found := re.search(r"^(\w+)\s*(?::.*)?=\s*(?:\w+\.)?(?:FastAPI|Starlette)\(", text, re.MULTILINE):
            place, module = _module(folder, name)
            command = f"exec python3 -m uvicorn {module}:{found[1]} --host 127.0.0.1 --port $PORT"
            yield ServerPlan(command, f"the ASGI application in {posixpath.join(folder, name)}", place)


def _module(folder: str, name: str) -> tuple[str, str]:
    """Return the folder in which a module is imported, and its name there: a package is imported from the folder above
    it."""
    if name != "__init__.py":
        return folder, name.removesuffix(".py")
    above, _, package = folder.rpartition("/")
    return above, package


def _page_server(by_folder: dict[str, set[str]], folders: Collection[str]) -> ServerPlan | None:
    """Return a server of files for the folder with the page that opens first."""
    with_index = [folder for folder in folders if "index.html" in by_folder[folder]]
    known = [folder for folder in PAGE_FOLDERS if folder in with_index]
    pages = [folder for folder in folders if any(name.endswith(".html") for name in by_folder[folder])]
    for folder in (*known, *with_index, *pages):
        python = "exec python3 -m http.server $PORT --bind 127.0.0.1"
        node = 'exec node "$SWE_AGENT_GUEST/static_server.cjs"'
        command = f"if command -v python3 >/dev/null; then {python}; else {node}; fi"
        return ServerPlan(command, f"the pages in {folder or 'the root'}", folder, reloads=True)
    return None
