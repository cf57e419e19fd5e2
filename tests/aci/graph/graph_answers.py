"""Two trees, and a summary of most that a graph knows, for tests and the processes that they start."""

from __future__ import annotations

from aci.graph.code_graph import Graph

TEXTS = {
    **{
        f"pkg/m{n}.py": f"from .m{n + 1} import f{n + 1}\ndef f{n}(a):\n    return f{n + 1}(a.save{n})\n"
        for n in range(40)
    },
    "pkg/__init__.py": "",
}
OTHER = TEXTS | {"pkg/m7.py": "class Changed:\n    def save3(self):\n        pass\n"}
Summary = tuple[object, ...]


def graph_summary(graph: Graph) -> Summary:
    """Return most of what a graph knows."""
    edges = [tuple(column.tolist()) for column in graph.edges()]
    postings_by_term = graph.holding(["f3", "save3", "changed", "pkg", "m7"])
    return (
        graph.paths,
        edges,
        [(term, [column.tolist() for column in postings]) for term, postings in postings_by_term.items()],
        [graph.defining(name) for name in ("f3", "Changed", "Changed.save3")],
        [graph.outline(path) for path in graph.paths],
        graph.code_length.tolist(),
        graph.parent.tolist(),
    )
