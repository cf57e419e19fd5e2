"""Two trees, and much of what a graph can say of them: for tests, and for the processes that these start."""

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
Answer = tuple[object, ...]


def answer(graph: Graph) -> Answer:
    """Much of what a graph can say."""
    edges = [tuple(column.tolist()) for column in graph.edges()]
    held = graph.holding(["f3", "save3", "changed", "pkg", "m7"])
    return (
        graph.paths,
        edges,
        [(term, [column.tolist() for column in postings]) for term, postings in held.items()],
        [graph.defining(name) for name in ("f3", "Changed", "Changed.save3")],
        [graph.outline(path) for path in graph.paths],
        graph.code_length.tolist(),
        graph.parent.tolist(),
    )
