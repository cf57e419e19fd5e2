"""Small random trees with few files, folders and names, so that many depend on each other."""

from __future__ import annotations

from random import Random

from aci.graph.code_graph import Graph
from aci.graph.graph_build import load_manifest
from aci.graph.graph_store import Store
from tests.text_blobs import TextBlobs

MODULES = ("aa", "bb", "cc", "dd")
FOLDERS = ("", "aa/", "bb/", "aa/cc/", "src/", "src/dd/")
FILES = tuple(folder + file for folder in FOLDERS for file in ("__init__.py", *(f"{name}.py" for name in MODULES)))


def random_module(rng: Random) -> str:
    """Return a module that imports, inherits from and calls others, or undefined names."""
    lines = []
    for _ in range(rng.randint(0, 3)):
        module = ".".join(rng.choices(MODULES, k=rng.randint(1, 2)))
        name = rng.choice(("kk", "hh", "mm", *MODULES))
        lines.append(
            rng.choice(
                (
                    f"import {module}",
                    f"from {module} import {name}",
                    f"from .{rng.choice(MODULES)} import {name}",
                    f"from {module} import *",
                    f"from . import {name}",
                    f"from .. import {name}",
                )
            )
        )
    if rng.random() < 0.6:
        lines.append(f"class {rng.choice(('kk', 'hh'))}({rng.choice(('object', 'kk', 'hh', 'mm'))}):")
        lines.append(f"    def {rng.choice(('mm', 'run1', '__init__', '__call__'))}(self):")
        lines.append(f"        self.{rng.choice(('mm', 'run1', 'zz'))}()")
    lines.append(f"def {rng.choice(('mm', 'hh'))}():")
    lines.append(f"    {rng.choice(MODULES)}.{rng.choice(('mm', 'hh', 'kk'))}()")
    lines.append(f"    {rng.choice(('mm', 'hh', 'kk'))}()")
    lines.append(f"    x = {rng.choice(('kk', 'hh'))}()")
    lines.append("    x.mm()")
    return "\n".join(lines) + "\n"


def random_tree(rng: Random) -> dict[str, str]:
    return {path: random_module(rng) for path in rng.sample(FILES, rng.randint(4, 10))}


def load_graph(texts: dict[str, str], store: Store) -> Graph:
    return Graph(load_manifest(TextBlobs(texts), store), store)
