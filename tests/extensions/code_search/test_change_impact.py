"""The places that a patch is likely to affect, with their reasons and lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aci.graph.code_graph import query_graph
from aci.graph.patch_impact import Edit
from aci.localization.place_ranking import RankedPlace, file_reader
from extensions.code_search.edit_signals import PastChanges
from extensions.code_search.related_places import find_impact
from tests.aci.graph.test_reachability import FILES
from tests.text_blobs import TextBlobs


def find_hits(
    path: str, old: str, new: str, past: PastChanges | None = None, files: Mapping[str, str] = FILES
) -> dict[str, RankedPlace]:
    assert old in files[path]
    edit, blobs = Edit(path, files[path], files[path].replace(old, new)), TextBlobs(files)
    places = query_graph(
        blobs, None, lambda graph: find_impact(graph, [edit], past or PastChanges({}), file_reader(graph, blobs), 20)
    )
    for hits in (places.files, places.functions):
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    return {f"{hit.path}:{hit.name}" if hit.name else hit.path: hit for hit in (*places.files, *places.functions)}


def reasons(*arguments: object, **options: object) -> dict[str, Sequence[str]]:
    return {name: hit.why for name, hit in find_hits(*arguments, **options).items()}  # type: ignore[arg-type]


def test_callers_of_changed_signature() -> None:
    hits = find_hits("shop/basket.py", "measure(thing, unit):", "measure(thing, unit, scale):")
    assert hits["shop/till.py:ring"].why[0] == "calls measure in line 5: scale is required"
    assert hits["shop/till.py:ring"].lines[0] == (5, "calls measure in line 5: scale is required")
    assert hits["shop/basket.py:Basket.weigh"].why[0] == "calls measure in line 3: scale is required"
    assert "shop/till.py" in hits
    assert "tests it" in hits["tests/test_basket.py"].why
    assert "shop/other.py" not in hits


def test_callers_and_callees_of_unchanged_signature() -> None:
    assert "calls measure in line 5" in reasons("shop/basket.py", "return 1\n", "return 2\n")["shop/till.py:ring"]
    assert "is called by ring" in reasons("shop/till.py", "'kg'", "'g'")["shop/basket.py:measure"]


def test_overridden_and_overriding_methods() -> None:
    found = reasons("shop/basket.py", "measure(self, unit)", "measure(self, unit) or 0")
    assert "overrides Basket.weigh" in found["shop/basket.py:Crate.weigh"]
    assert "has the same name as Basket.weigh" in found["shop/basket.py:Crate.weigh"]
    assert "is overridden by Crate.weigh" in reasons("shop/basket.py", "+ 1", "+ 2")["shop/basket.py:Basket.weigh"]


def test_namesakes_and_places_that_changed_together() -> None:
    commits = [{"shop/till.py": ("ring",), "shop/other.py": ("unrelated",)}] * 3
    found = reasons("shop/till.py", "'kg'", "'g'", PastChanges({"docs/till.txt": 0.5}, commits))
    assert "has the same name as ring" in found["lab/till.py:ring"]
    assert found["docs/till.txt"] == ("often changes in the same commits",)
    assert "changed in the same commits as ring" in found["shop/other.py:unrelated"]
