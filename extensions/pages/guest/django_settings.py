"""Settings of a Django project with copies of its SQLite databases, so that its server changes no file of the
repository."""

import importlib
import os
import shutil
import tempfile


def copied(databases):
    """Return the databases, with SQLite files replaced by copies in a temporary folder."""
    folder = os.path.join(tempfile.gettempdir(), "swe-agent-databases")
    os.makedirs(folder, exist_ok=True)
    found = {}
    for name, table in databases.items():
        file, copy = str(table.get("NAME", "")), os.path.join(folder, name)
        found[name] = dict(table)
        if table.get("ENGINE", "").endswith("sqlite3") and ":memory:" not in file:
            if os.path.isfile(file) and not os.path.exists(copy):
                shutil.copyfile(file, copy)
            found[name]["NAME"] = copy
    return found


REAL = os.environ.get("SWE_AGENT_DJANGO_SETTINGS")
if REAL:
    _real = importlib.import_module(REAL)
    globals().update({name: value for name, value in vars(_real).items() if name.isupper()})
    DATABASES = copied(getattr(_real, "DATABASES", {}))
