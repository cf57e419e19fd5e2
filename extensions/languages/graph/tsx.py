"""TypeScript with JSX, which has a separate grammar."""

from __future__ import annotations

from aci.graph.parser import Language
from extensions.languages.graph._ecmascript import JSX, QUERY, bindings, imports, named
from extensions.languages.graph.typescript import OWN


def grammar() -> object:
    import tree_sitter_typescript

    return tree_sitter_typescript.language_tsx()


language = Language("tsx", ("tsx",), grammar, QUERY + JSX + OWN, imports, bindings, named)
