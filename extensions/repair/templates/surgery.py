"""Templates that copy a statement from elsewhere in the repository (see `extensions.repair.analysis.code_snippets`)."""

from __future__ import annotations

import ast

from extensions.experiment.source.code_blocks import in_function, in_loop, is_last
from extensions.experiment.source.source_file import Draft, brief
from extensions.repair.candidates.template_site import Drafts, TemplateSite


def transplant(spot: TemplateSite) -> Drafts:
    """Insert a copy of a suitable statement from another function before this one or at the end of its block."""
    if spot.snippets is None or not in_function(spot.source, spot.statement):
        return
    ends = isinstance(spot.statement, ast.Return | ast.Raise | ast.Break | ast.Continue)
    last = is_last(spot.source, spot.statement) and not ends
    loop = in_loop(spot.source, spot.statement)
    for fit in spot.snippets.before(spot.source, spot.donors.holder, spot.statement):
        if fit.snippet.jumps and not loop:
            continue
        lines = fit.text.split("\n")
        yield spot.source.insert(spot.statement, lines)
        if last:
            yield spot.source.insert(spot.statement, lines, after=True)


def borrow(spot: TemplateSite) -> Drafts:
    """Replace the statement by a similar one from another function."""
    if spot.snippets is None or not in_function(spot.source, spot.statement):
        return
    span = spot.source.span(spot.statement)
    for fit in spot.snippets.like(spot.source, spot.donors.holder, spot.statement):
        if "\n" not in fit.text:
            yield Draft(f"use `{brief(fit.text)}` instead, as elsewhere in the repository", ((*span, fit.text),))
