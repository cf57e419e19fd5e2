"""Statements that an issue's example needs to use Django outside of a project: settings, and tables of its models."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

APP = "contenttypes"
"""The application to which the models of an example belong: related models are found only in an installed one."""

SET_UP = (
    "import django",
    "from django.conf import settings",
    "settings.configured or settings.configure(\n"
    "    DATABASES={'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': ':memory:'}},\n"
    "    INSTALLED_APPS=['django.contrib.contenttypes', 'django.contrib.auth'],\n"
    "    SECRET_KEY='not secret',\n"
    ")",
    "django.setup()",
)
_USES = re.compile(r"^(?:from|import) django\b", re.MULTILINE)
_OWN = re.compile(r"settings\.configure\(|DJANGO_SETTINGS_MODULE|django\.setup\(")


def needs_django(steps: Sequence[str]) -> bool:
    """Return whether statements use Django and do not configure it."""
    text = "\n".join(steps)
    return bool(_USES.search(text)) and not _OWN.search(text)


CONNECTION = "from django.db import connection"
WITHOUT_TABLE = {"abstract = True", "proxy = True", "managed = False"}


def add_app_labels(steps: Sequence[str]) -> tuple[list[str], dict[int, str]]:
    """Return the statements with models that belong to an application, and the models that have a table, by the number
    of the statement that defines each."""
    models, abstract = set[str](), set[str]()
    texts, tables = list(steps), dict[int, str]()
    for n, step in enumerate(steps):
        node = ast.parse(step).body[0]
        if not isinstance(node, ast.ClassDef):
            continue
        bases = {ast.unparse(base) for base in node.bases}
        if not bases & {"Model", "models.Model", *models}:
            continue
        models.add(node.name)
        meta = next((one for one in node.body if isinstance(one, ast.ClassDef) and one.name == "Meta"), None)
        options = set(map(ast.unparse, meta.body)) if meta else set()
        if "abstract = True" in options:
            abstract.add(node.name)
        if not options & WITHOUT_TABLE:
            tables[n] = node.name
        # a model without Meta has that of its abstract base
        if meta or not bases & abstract:
            texts[n] = _with_app_label(node, meta)
    return texts, tables


def create_table(model: str) -> str:
    """Return a statement that creates the table of a model, which needs CONNECTION."""
    return f"with connection.schema_editor() as editor:\n    editor.create_model({model})"


def _with_app_label(node: ast.ClassDef, meta: ast.ClassDef | None) -> str:
    if meta is None:
        meta = ast.ClassDef("Meta", [], [], [], [])
        node.body.append(meta)
    if not any(ast.unparse(one).startswith("app_label = ") for one in meta.body):
        meta.body.append(ast.parse(f"app_label = {APP!r}").body[0])
    node.body = [one for one in node.body if not isinstance(one, ast.Pass)]
    return ast.unparse(ast.fix_missing_locations(node))
