"""Finding the server of a project by its files."""

from __future__ import annotations

import json

import pytest

from extensions.pages.browser.project_server import find_server, plan_server

FLASK = "from flask import Flask\n\napp = Flask(__name__)\n"
FACTORY = "from flask import Flask\n\ndef create_app():\n    return Flask(__name__)\n"
DJANGO = 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n'
PAGE = "<title>Shop</title>\n"


def package(**scripts: str) -> str:
    return json.dumps({"scripts": scripts})


def plan(files: dict[str, str], named: str = ""):
    return plan_server(files, lambda path: files.get(path, ""), named)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"package.json": package(dev="vite")}, "vite --port $PORT --strictPort --host 127.0.0.1"),
        (
            {"package.json": package(build="vite build", preview="vite preview --port 5000")},
            "vite preview --port $PORT --strictPort --host 127.0.0.1",
        ),
        ({"package.json": package(dev="next dev -p 3001")}, "next dev --port $PORT --hostname 127.0.0.1"),
        (
            {"package.json": package(start="webpack serve --mode development && echo over")},
            "webpack serve --port $PORT --host 127.0.0.1 --no-open --mode development && echo over",
        ),
        (
            {"package.json": package(start="PORT=3006 react-scripts start", prestart="node icons.js")},
            "node icons.js && react-scripts start",
        ),
        ({"package.json": package(serve="vue-cli-service serve")}, "vue-cli-service serve --port $PORT "),
        ({"package.json": package(dev="astro dev")}, "astro dev --port $PORT --host 127.0.0.1"),
        ({"package.json": package(dev="svelte-kit dev")}, "svelte-kit dev --port $PORT --host 127.0.0.1"),
        ({"package.json": package(start="parcel index.html")}, "parcel --port $PORT --host 127.0.0.1 index.html"),
        ({"package.json": package(start="node server.js", dev="tsc --watch")}, "node server.js"),
        ({"app.py": FLASK, "package.json": package(dev="vite build --watch")}, "FLASK_APP=app:app "),
        ({"shop/__init__.py": FACTORY}, "FLASK_APP='shop:create_app()' "),
        ({"manage.py": DJANGO, "package.json": package(dev="vite")}, "SWE_AGENT_DJANGO_SETTINGS=shop.settings "),
        ({"main.py": "api = FastAPI()\n", "package.json": package(dev="vite")}, "vite --port"),
        ({"main.py": "api = FastAPI()\n"}, "uvicorn main:api "),
        ({"index.html": PAGE, "package.json": package(build="vite build", test="vitest")}, "http.server $PORT"),
    ],
)  # fmt: skip
def test_servers_are_found(files, expected):
    found = plan(files)
    assert found is not None
    assert expected in found.command
    assert found.folder == ""


@pytest.mark.parametrize(
    ("files", "folder"),
    [
        (["docs/index.html", "dist/index.html", "public/index.html"], "public"),
        (["docs/index.html", "pages/index.html"], "docs"),
        (["tests/index.html", "pages/old/index.html"], "pages/old"),
        (["pages/about.html"], "pages"),
        (["examples/shop/package.json", "web/package.json"], "web"),
        (["examples/shop/package.json"], "examples/shop"),
    ],
)
def test_the_folder_that_is_served(files, folder):
    found = plan({path: PAGE if path.endswith(".html") else package(dev="vite") for path in files})
    assert found is not None
    assert found.folder == folder


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"package.json": package(test="jest", start="tsc --watch")},
        {"package.json": "[" * 100_000, "app.py": "import flask\n", "manage.py": "print()\n"},
        {"package.json": '{"scripts": {"dev": 1}}', "main.py": "print('Flask(')\n"},
        {"__init__.py": FLASK},
    ],
)
def test_projects_without_pages_have_no_server(files):
    assert plan(files) is None


def test_a_named_server_comes_first():
    found = plan({"package.json": package(dev="vite")}, "make serve PORT=4100")
    assert found is not None
    assert (found.command, found.ports, found.reloads) == ("make serve PORT=4100", (4100,), False)


def test_files_of_a_workspace_are_searched(make_repo, open_ws):
    modules = {f"lib{number}/__init__.py": "" for number in range(3)}
    files = {"node_modules/a/index.html": PAGE, "web/shop/app.py": FLASK, "venv/app.py": FLASK, **modules}
    workspace = open_ws("local", make_repo(files))
    found = find_server(workspace)
    assert found is not None
    assert (found.folder, found.reason) == ("web/shop", "the Flask application in web/shop/app.py")
    named = find_server(open_ws("local", make_repo(files), serve="./serve"))
    assert named is not None
    assert named.command == "./serve"
