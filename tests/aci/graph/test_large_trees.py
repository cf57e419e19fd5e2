from __future__ import annotations

from pathlib import Path

import pytest

from aci.graph import graph_build, parser
from aci.graph.code_graph import Graph, look_up_name, query_graph
from aci.graph.graph_build import NOT_ABOUT_IT
from aci.localization.issue_localization import HistoryBase, localize_issue
from aci.repository.file_blobs import GitBlobs
from aci.repository.user_repository import Repository
from tests.aci.graph.test_graph_build import RecordingBlobs
from tests.conftest import MakeRepo
from trajectories.records import Issue

TEXTS = {f"pkg/module{number}.py": f"def step_{number}(value):\n    return value + {number}\n" for number in range(40)}
TEXTS |= {
    "pkg/rounding.py": "def round_invoice(total):\n    return total\n",
    "pkg/report.py": "from pkg.rounding import round_invoice\n\ndef show(total):\n    return round_invoice(total)\n",
    "web/Till.py": "def roundInvoice(total):\n    return total\n",
    "docs/invoice.md": "How to round an invoice.\n",
}


@pytest.fixture(autouse=True)
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_build, "LARGE_TREE", 20)
    monkeypatch.setattr(parser, "MOST_FILES", 3)


def paths_of(graph: Graph) -> set[str]:
    return set(graph.paths)


@pytest.mark.parametrize("about", ["the total is rounded, invoice", "round_invoice", "roundInvoice", "pkg/rounding.py"])
def test_graph_of_large_tree_has_the_files_with_the_words(about: str) -> None:
    found = query_graph(RecordingBlobs(TEXTS), None, paths_of, about)
    assert "pkg/rounding.py" in found or about == "roundInvoice"
    assert "web/Till.py" in found or about == "pkg/rounding.py"
    assert len(found) == 3


def test_word_in_capitals_or_with_digits_is_found() -> None:
    texts = TEXTS | {"a.py": "MAX_RETRIES2 = 3\n", "b.py": "retries2_left = 1\n", "c.py": "utf8 = 1\n"}
    found = query_graph(RecordingBlobs(texts), None, paths_of, "retries utf8")
    assert {"a.py", "b.py", "c.py"} == found


def test_links_between_the_chosen_files_are_known() -> None:
    def callers(graph: Graph) -> set[str]:
        [place] = look_up_name(graph, "pkg/rounding.py:round_invoice").places
        return {link.place.path for link in graph.callers(place)}

    assert query_graph(RecordingBlobs(TEXTS), None, callers, "round_invoice") == {"pkg/report.py"}


def test_every_other_file_is_listed_with_the_reason() -> None:
    left_out = query_graph(RecordingBlobs(TEXTS), None, lambda graph: graph.left_out, "round_invoice")
    assert sum(reason == NOT_ABOUT_IT for reason in left_out.values()) == 40


@pytest.mark.parametrize("about", [None, "round"])
def test_whole_graph_is_used_if_it_exists_or_is_asked_for(tmp_path: Path, about: str | None) -> None:
    assert len(query_graph(RecordingBlobs(TEXTS), tmp_path, paths_of)) == 43
    assert len(query_graph(RecordingBlobs(TEXTS), tmp_path, paths_of, about)) == 43


def test_same_words_read_nothing_again(tmp_path: Path) -> None:
    first = query_graph(RecordingBlobs(TEXTS), tmp_path, paths_of, "round the invoice")
    again = RecordingBlobs(TEXTS)
    assert query_graph(again, tmp_path, paths_of, "the invoice, round!") == first
    assert again.read_ids == []


def test_place_is_found_in_large_repository(make_repo: MakeRepo) -> None:
    source = Repository.open(make_repo(TEXTS))
    issue = Issue("round_invoice() rounds to one digit too few", "round_invoice(2.345) gives 2.3.")
    before = HistoryBase(source.git_dir, source.commit())
    found = localize_issue(GitBlobs.at(source.git_dir, source.commit()), issue, before)
    assert found.places.functions[0].path == "pkg/rounding.py"
    assert found.as_json()["left_out"][NOT_ABOUT_IT] == 40
