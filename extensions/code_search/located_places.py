"""Places that a model named, checked against the code graph and merged with the ranking without a model."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from aci.graph.outline import CLASS
from aci.localization.place_ranking import SHOWN_CLASSES, RankedPlace, RankedPlaces
from extensions.code_search.locator_request import LISTED_FILES, LISTED_FUNCTIONS

if TYPE_CHECKING:
    from aci.graph.code_graph import Graph
    from extensions.code_search.locator_request import NamedPlace

RANKING, LOCATED = "ranking", "located"
"""Names of the recorded results: the ranking without a model, and the checked answer."""
NOTHING: dict[str, Any] = {"places": [], "dropped": []}
"""The checked answer of a model that names no place."""
KINDS = ("files", "functions", "classes")


def record_ranking(places: RankedPlaces) -> dict[str, Any]:
    """Return the part of a ranking that the model sees, as it is recorded."""
    limits = zip(KINDS, (LISTED_FILES, LISTED_FUNCTIONS, SHOWN_CLASSES), strict=True)
    return {kind: [asdict(hit) for hit in getattr(places, kind)[:most]] for kind, most in limits}


def load_ranking(record: Mapping[str, Any]) -> RankedPlaces:
    return RankedPlaces(*(tuple(_load_place(hit) for hit in record[kind]) for kind in KINDS))


def _load_place(record: Mapping[str, Any]) -> RankedPlace:
    return RankedPlace(**{**record, "why": tuple(record["why"]), "lines": ()})


def resolve(
    named: Sequence[NamedPlace], ranking: RankedPlaces, graph: Graph, files: Collection[str]
) -> dict[str, list[Any]]:
    """Return the named places that exist, as they are recorded, and the names of the others, which are dropped.

    `files` are the paths of the tree; some of them are not in the graph.
    """
    places: dict[tuple[str, str], dict[str, Any]] = {}
    dropped = []
    for place in named:
        found = _find(place, ranking, graph, files)
        if found is None:
            dropped.append(str(place))
        else:
            kind, hit = found
            hit = replace(hit, why=(place.reason,) if place.reason else ())
            places.setdefault((hit.path, hit.name), {"kind": kind, **asdict(hit)})
    return {"places": list(places.values()), "dropped": dropped}


def _find(
    place: NamedPlace, ranking: RankedPlaces, graph: Graph, files: Collection[str]
) -> tuple[str, RankedPlace] | None:
    if place.number:
        ranked = ranking.functions[place.number - 1 : place.number]
        return ("functions", ranked[0]) if ranked else None
    if not place.name:
        return ("files", RankedPlace(place.path, 0.0)) if place.path in files else None
    if place.path not in graph.number:
        return None
    symbols = graph.outline(place.path).symbols
    matches = [symbol for symbol in symbols if symbol.name == place.name]
    if not matches and len({symbol.name for symbol in symbols if symbol.bare == place.name}) == 1:
        matches = [symbol for symbol in symbols if symbol.bare == place.name]
    if not matches:
        return None
    symbol = matches[0]
    kind = "classes" if symbol.kind == CLASS else "functions"
    known = [hit for hit in getattr(ranking, kind) if (hit.path, hit.name) == (place.path, symbol.name)]
    hit = RankedPlace(place.path, 0.0, (), symbol.name, symbol.header, symbol.end, symbol.signature)
    return kind, known[0] if known else hit


def list_located(located: Mapping[str, Any]) -> str:
    """Return the places of the answer as numbered lines."""
    lines = []
    for number, place in enumerate(located["places"], 1):
        name = f":{place['line']} {place['name']}" if place["name"] else ""
        lines.append(f"{number:2}. {place['path']}{name}{''.join(f' - {why}' for why in place['why'])}")
    return "\n".join(lines) or "The model named no place of the repository."


def merge_places(ranking: RankedPlaces, located: Mapping[str, Any], top: int) -> RankedPlaces:
    """Return the first `top` places of each kind: those of the model in its order, then the ranking's. A file counts
    from the first place in it."""
    first: dict[str, list[RankedPlace]] = {kind: [] for kind in KINDS}
    known = {hit.path: hit for hit in ranking.files}
    for place in located["places"]:
        hit = _load_place({name: value for name, value in place.items() if name != "kind"})
        first["files"].append(replace(known.get(hit.path, RankedPlace(hit.path, 0.0)), why=hit.why))
        if hit.name:
            first[place["kind"]].append(hit)
    return RankedPlaces(*(_distinct([*first[kind], *getattr(ranking, kind)])[:top] for kind in KINDS))


def _distinct(hits: Sequence[RankedPlace]) -> tuple[RankedPlace, ...]:
    by_name = {(hit.path, hit.name): hit for hit in reversed(hits)}
    return tuple(by_name[key] for key in dict.fromkeys((hit.path, hit.name) for hit in hits))
