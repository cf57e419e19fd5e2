"""The output of `locate` as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.text import Text
from rich.tree import Tree

from aci.graph.file_selection import NO_SOURCE
from aci.localization.issue_localization import LocalizationResult
from aci.localization.place_ranking import SHOWN_CLASSES
from aci.observation.untrusted_text import clean_text
from agent.console.rich_terminal import console

if TYPE_CHECKING:
    from aci.localization.place_ranking import RankedPlace

SHOWN_REASONS = 3
SHOWN_LEFT_OUT = 5


def print_places(found: LocalizationResult, title: str, where: str, nothing: str, plain: bool, verbose: bool) -> None:
    """Print the files, most likely first, each with its most likely functions and their overall ranks, and those of the
    few most likely classes; print `nothing` if there are none."""
    out = console(plain)
    head = Text.assemble((clean_text(title), "bold"), ("  " + where, "dim"))
    if found.places.files:
        out.print(_tree(found, head))
    else:
        out.print(head)
        out.print(nothing)
    if line := _left_out(found.left_out):
        out.print(Text(f"{line}; in {found.seconds:.1f} s", "dim"))
    if verbose:
        for path, reason in sorted(found.left_out.items()):
            out.print(Text.assemble(clean_text(path), (f"  {reason}", "dim")), soft_wrap=True)


def _tree(found: LocalizationResult, head: Text) -> Tree:
    tree = Tree(head, guide_style="dim")
    ranked = [(f"{rank}. ", hit) for rank, hit in enumerate(found.places.functions, 1)]
    ranked += [(f"class {rank}. ", hit) for rank, hit in enumerate(found.places.classes[:SHOWN_CLASSES], 1)]
    reasons = {hit.path: hit.why for hit in found.places.files}
    for path in dict.fromkeys([*reasons, *(hit.path for _, hit in ranked)]):
        inside = [(rank, hit) for rank, hit in ranked if hit.path == path]
        shown_reasons = {why for _, hit in inside for why in hit.why[:SHOWN_REASONS]}
        why = [reason for reason in reasons.get(path, ()) if reason not in shown_reasons]
        branch = tree.add(_label(Text(clean_text(path), "bold cyan"), why))
        for rank, hit in inside:
            branch.add(_label(_name(hit, rank), hit.why))
    return tree


def _name(hit: RankedPlace, rank: str) -> Text:
    return Text.assemble((rank, "dim"), (clean_text(hit.name), "green"), (f":{hit.line}", "dim"))


def _label(name: Text, why: Sequence[str]) -> Text:
    reasons = "; ".join(clean_text(reason) for reason in why[:SHOWN_REASONS])
    return Text.assemble(name, (f" — {reasons}", "dim") if reasons else "")


def _left_out(reasons: Mapping[str, str]) -> str:
    """Return a summary such as `12 files left out: 9 vendored, 3 minified`; files that are not source are not
    counted."""
    counts = Counter(reason for reason in reasons.values() if reason != NO_SOURCE)
    if not counts:
        return ""
    listed = ", ".join(f"{count} {reason}" for reason, count in counts.most_common(SHOWN_LEFT_OUT))
    files = "1 file" if counts.total() == 1 else f"{counts.total()} files"
    return f"{files} left out: {listed}{', …' if len(counts) > SHOWN_LEFT_OUT else ''}"
