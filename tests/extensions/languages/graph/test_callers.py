"""Callers whose files do not contain the name, and places that an issue describes, in languages other than Python."""

from __future__ import annotations

import pytest

from aci.graph.code_graph import Graph, query_graph
from aci.graph.outline import Location
from aci.localization.place_ranking import file_reader, rank_places
from tests.extensions.code_search.test_change_impact import find_hits
from tests.text_blobs import TextBlobs
from trajectories.records import Issue


@pytest.mark.parametrize(
    ("texts", "name", "caller"),
    [
        (
            {
                "a.rb": "class Foo\n  def ready?\n    1\n  end\nend\n",
                "c.rb": "def f(x)\n  x.ready?\nend\n",
            },
            "ready?",
            Location("c.rb", 0),
        ),
        (
            {"a.js": "export function $fetch(){}\n", "c.js": "import {$fetch} from './a'\nfunction f(){ $fetch() }\n"},
            "$fetch",
            Location("c.js", 0),
        ),
        (
            {"a.js": "export default function bar() {}\n", "c.js": "import Foo from './a'\n"},
            "bar",
            Location("c.js"),
        ),
    ],
    ids=["question mark", "dollar", "default"],
)
def test_caller_is_found_even_if_its_file_does_not_contain_name(
    texts: dict[str, str], name: str, caller: Location
) -> None:
    def callers(graph: Graph) -> list[Location]:
        return [link.place for place in graph.defining(name) for link in graph.callers(place)]

    assert caller in query_graph(TextBlobs(texts), None, callers)


def test_place_described_in_issue_is_ranked_first() -> None:
    blobs = TextBlobs(
        {"a.py": "def add(cart):\n    pass\n", "web/totals.js": "function showTotals(cart) { return 1 }\n"}
    )
    issue = Issue("showTotals shows nothing", "")
    places = query_graph(blobs, None, lambda graph: rank_places(graph, issue, file_reader(graph, blobs), None, 10))
    assert places.files[0].path == "web/totals.js"


def test_literals_and_words_in_other_languages() -> None:
    text = "package calc\n\nfunc Part{0}() int {{ return {0} }}\n"
    files = {
        "src/limits.go": 'package calc\n\nfunc Limit(n int) string {\n\treturn "maximum width"\n}\n',
        "src/check.go": 'package calc\n\nfunc Check(s string) bool {\n\treturn s == "maximum width"\n}\n',
        "src/use.go": "package calc\n\nfunc Use() string {\n\treturn Limit(3)\n}\n",
        "src/spacing.go": "package calc\n\nfunc Spacing(widthOfTable int) int {\n\treturn widthOfTable\n}\n",
        **{f"src/part{number}.go": text.format(number) for number in range(30)},
    }
    new = "n int, widthOfTable bool"
    hits = find_hits("src/limits.go", "n int", new, files=files)
    assert hits["src/use.go:Use"].why[0] == "uses Limit in line 4, whose signature changes"
    assert hits["src/use.go:Use"].lines[0][0] == 4
    assert hits["src/spacing.go:Spacing"].why[0].startswith("has words of the changed lines: widthoftable")
    hits = find_hits("src/limits.go", '"maximum width"', '"largest width"', files=files)
    assert hits["src/check.go:Check"].lines == ((4, "has the text 'maximum width' in line 4, which the patch changes"),)
