"""Growth of graphs: a chain of copies, each of which refers to the next one, so that depth and sharing grow too.

A graph is a mapping from nodes to what they refer to, or a list of pairs of nodes. Graphs without cycles get none, and
trees stay trees. A chain is at most DEEPEST nodes deep; further chains begin at the first copy.
"""

from .call_parts import MAPPINGS, rebuilt
from .value_growth import DEEPEST, by_columns, in_order_of, shifter

HOLDERS = (list, tuple, set, frozenset, dict)
KINDS = ({str}, {int})
"""The types of nodes."""


def graph_nodes(value):
    """Return the nodes of a graph, or [] if the value is not a graph."""
    links = links_of(value) if type(value) in MAPPINGS else edges_of(value)
    nodes = list(dict.fromkeys([*(one for one, _ in links), *(other for _, other in links)]))
    if type(value) in MAPPINGS:
        nodes = list(dict.fromkeys([*value, *nodes]))
    if not links or {type(one) for one in nodes} not in KINDS:
        return []
    sources, ends = {one for one, _ in links}, {other for _, other in links}
    known = ends.intersection(value if type(value) in MAPPINGS else sources)
    is_linked = known and (type(nodes[0]) is str or 2 * len(known) >= min(len(sources), len(ends)))
    return sorted(nodes) if is_linked else []


def links_of(mapping):
    """Return the pairs (key, node that its value refers to) of a mapping."""
    return [(key, one) for key, value in mapping.items() for one in referred(value) if is_node(one)]


def referred(value):
    """Return the nodes that a value of a graph refers to: its items, the first parts of its pairs, or the value."""
    if type(value) in HOLDERS:
        return [one[0] if type(one) in (list, tuple) and one else one for one in value]
    return [] if value is None else [value]


def is_node(value):
    return {type(value)} in KINDS


def edges_of(rows):
    """Return the pairs of nodes that the rows of a list begin with; [] if they are no pairs."""
    if type(rows) not in (list, tuple) or not rows:
        return []
    first = rows[0]
    if not all(type(row) is type(first) and type(row) in (list, tuple) and len(row) == len(first) for row in rows):
        return []
    return [(row[0], row[1]) for row in rows] if 2 <= len(first) <= 4 and all(map(is_node, first[:2])) else []


class Links:
    """The links of a graph: the nodes where its copies begin and end, and whether it is a tree or symmetric.

    `nodes` are those that can have links; `more` are all links, if some lead to other nodes. Only one node of a tree
    refers to the next copy; in other graphs, the first node does so too, so that several ways lead there.
    """

    def __init__(self, links, nodes, more=()):
        sources, ends, distinct = {one for one, _ in links}, {other for _, other in links}, set(links)
        self.first = next((node for node in nodes if node not in ends), nodes[0])
        self.last = [node for node in nodes if node not in sources] or [nodes[-1]]
        self.is_tree = any(len({pair[at] for pair in more or links}) == len(more or links) for at in (0, 1))
        self.is_symmetric = all((other, one) in distinct for one, other in distinct)
        if self.is_tree or self.is_symmetric:
            self.last = self.last[:1]
        elif self.first not in self.last:
            self.last.append(self.first)
        self.chain = max(DEEPEST // len(nodes), 2)

    def next_copies(self, turn, turns):
        """Return the copies that the given copy refers to: the next one of its chain, and for the first copy also the
        beginnings of the other chains."""
        following = [turn + 1] if (turn + 1) % self.chain and turn + 1 < turns else []
        return following + ([*range(self.chain, turns, self.chain)] if not turn else [])


def grown_graph(value, size, others=()):
    """Return a graph with `size` keys or rows; a mapping or list is changed in place."""
    rename = shifter(graph_nodes(value), others)
    if type(value) in MAPPINGS:
        pairs = linked_pairs(value, size, rename)
        value.clear()
        for key, one in pairs:
            value[key] = one
        return value
    rows = list(value)
    made = in_order_of(rows, linked_rows(rows, size, rename))
    if type(value) is list:
        value[:] = made
        return value
    return rebuilt(type(value), made)


def linked_pairs(mapping, size, rename):
    keys = list(mapping)
    inner = [(one, other) for one, other in links_of(mapping) if other in mapping]
    links = Links(inner, keys, links_of(mapping))
    is_pointer = not any(type(value) in HOLDERS for value in mapping.values())
    last = [key for key in keys if mapping[key] not in mapping] if is_pointer else links.last
    turns = -(-size // len(keys))
    template = next((value for value in mapping.values() if type(value) in HOLDERS and value), None)
    made = []
    for number in range(size):
        key, turn = keys[number % len(keys)], number // len(keys)
        value = renamed(mapping[key], rename, turn)
        more = [rename(links.first, copy) for copy in links.next_copies(turn, turns)] if key in last else []
        if links.is_symmetric and key == links.first and turn % links.chain:
            more.append(rename(last[-1], turn - 1))
        made.append((rename(key, turn), with_links(value, more, template)))
    root = next((value for value in mapping.values() if not is_node(value) or value not in mapping), None)
    cut_off = {rename(key, turns - 1) for key in keys[size - (turns - 1) * len(keys) :]}
    return [(key, without_links(value, cut_off, root)) for key, value in made]


def renamed(value, rename, turn):
    """Return a value of a graph for the copy of a round."""
    if type(value) is dict:
        return {rename(key, turn) if is_node(key) else key: one for key, one in value.items()}
    if type(value) in HOLDERS:
        return type(value)([renamed_item(one, rename, turn) for one in value])
    return rename(value, turn) if is_node(value) else value


def renamed_item(one, rename, turn):
    if type(one) in (list, tuple) and one and is_node(one[0]):
        return type(one)([rename(one[0], turn), *one[1:]])
    return rename(one, turn) if is_node(one) else one


def with_links(value, nodes, template):
    """Return a value of a graph that also refers to these nodes; `template` is a value that refers to some node."""
    if not nodes:
        return value
    if type(value) is dict:
        return {**value, **{node: next(iter((template or {0: 1}).values())) for node in nodes}}
    if type(value) in HOLDERS:
        like = next(iter(template), None) if template is not None else None
        items = [type(like)([node, *like[1:]]) if type(like) in (list, tuple) else node for node in nodes]
        return type(value)([*value, *items])
    return nodes[0]


def without_links(value, nodes, root):
    """Return a value of a graph that does not refer to these nodes; `root` replaces a single one."""
    if type(value) is dict:
        return {key: one for key, one in value.items() if key not in nodes}
    if type(value) in HOLDERS:
        return type(value)([one for one in value if not nodes.intersection(referred([one]))])
    return root if is_node(value) and value in nodes else value


def linked_rows(rows, size, rename):
    edges = edges_of(rows)
    nodes = list(dict.fromkeys(node for edge in edges for node in edge))
    links = Links(edges, nodes)
    last = [*links.last[:1], *links.last[1:][-1:]]
    rest = by_columns([lambda value, turn: value] * 2 + [shifter(column) for column in list(zip(*rows))[2:]])
    turns = -(-size // (len(rows) + len(last) * (1 + links.is_symmetric)))
    made, turn = [], 0
    while len(made) < size:
        made += [row_of(rest(row, turn), rename(row[0], turn), rename(row[1], turn)) for row in rows]
        for copy in links.next_copies(turn, turns):
            joined = [(rename(node, turn), rename(links.first, copy)) for node in last]
            joined += [pair[::-1] for pair in joined if links.is_symmetric]
            made += [row_of(rest(rows[-1], turn), *pair) for pair in joined]
        turn += 1
    return made[:size]


def row_of(row, one, other):
    return type(row)([one, other, *row[2:]])
