"""Small trees by chance, in which files, folders and names are few, so that much depends on much."""

from __future__ import annotations

from random import Random

from aci.graph.code_graph import Graph
from aci.graph.graph_build import load_manifest
from aci.graph.graph_store import Store
from aci.repository.file_blobs import TextBlobs

MODULES = ("aa", "bb", "cc", "dd")
FOLDERS = ("", "aa/", "bb/", "aa/cc/", "src/", "src/dd/")
FILES = tuple(folder + file for folder in FOLDERS for file in ("__init__.py", *(f"{name}.py" for name in MODULES)))


def source(chance: Random) -> str:
    """A module that imports, inherits from and calls others, or names nobody has."""
    lines = []
    for _ in range(chance.randint(0, 3)):
        module = ".".join(chance.choices(MODULES, k=chance.randint(1, 2)))
        name = chance.choice(("kk", "hh", "mm", *MODULES))
        lines.append(
            chance.choice(
                (
                    f"import {module}",
                    f"from {module} import {name}",
                    f"from .{chance.choice(MODULES)} import {name}",
                    f"from {module} import *",
                    f"from . import {name}",
                    f"from .. import {name}",
                )
            )
        )
    if chance.random() < 0.6:
        lines.append(f"class {chance.choice(('kk', 'hh'))}({chance.choice(('object', 'kk', 'hh', 'mm'))}):")
        lines.append(f"    def {chance.choice(('mm', 'run1', '__init__', '__call__'))}(self):")
        lines.append(f"        self.{chance.choice(('mm', 'run1', 'zz'))}()")
    lines.append(f"def {chance.choice(('mm', 'hh'))}():")
    lines.append(f"    {chance.choice(MODULES)}.{chance.choice(('mm', 'hh', 'kk'))}()")
    lines.append(f"    {chance.choice(('mm', 'hh', 'kk'))}()")
    lines.append(f"    x = {chance.choice(('kk', 'hh'))}()")
    lines.append("    x.mm()")
    return "\n".join(lines) + "\n"


def tree(chance: Random) -> dict[str, str]:
    return {path: source(chance) for path in chance.sample(FILES, chance.randint(4, 10))}


def opened(texts: dict[str, str], store: Store) -> Graph:
    return Graph(load_manifest(TextBlobs(texts), store), store)
