"""TypeScript with JSX: a grammar of its own."""

from __future__ import annotations

from aci.graph.languages._ecmascript import JSX, QUERY, bindings, imports, named
from aci.graph.languages.typescript import OWN
from aci.graph.parse import Language


def grammar() -> object:
    import tree_sitter_typescript

    return tree_sitter_typescript.language_tsx()


language = Language("tsx", ("tsx",), grammar, QUERY + JSX + OWN, imports, bindings, named)
