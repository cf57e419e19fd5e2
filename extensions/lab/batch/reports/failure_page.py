"""The failure page as HTML: statistics at the top, then a table of runs for each cause, with a row for each run.

Names, observations and errors are untrusted, so everything is escaped. The page runs no script and fetches nothing.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from html import escape
from urllib.parse import quote

from agent.console.activity_lines import thousands
from extensions.lab.batch.reports.failure_statistics import Case, FailureStatistics, LocalizationStatistics
from extensions.lab.batch.reports.outcome_reasons import OUTCOME_REASONS
from extensions.lab.batch.reports.progress_text import clock, money, single_line
from trajectories.pages import beginning, part

PACKAGE = "extensions.lab.batch.reports"
NOTHING = "—"
SHARES = {True: "solved", False: "not solved"}
BAR = 80
GROUP_END = "</tbody></table></div></details>\n"
END = "</section>\n</main>\n</body>\n</html>\n"


def page_beginning(survey: FailureStatistics, name: str) -> str:
    """Return the page up to the tables of runs."""
    judge = "solved according to an evaluation" if survey.graded else "not evaluated: solved means proven by the run"
    facts = ["1 run" if survey.runs == 1 else f"{survey.runs} runs", judge]
    if survey.unreadable:
        facts.append(f"unreadable lines of results.jsonl: {survey.unreadable}")
    if survey.damaged:
        facts.append(f"damaged journals: {survey.damaged}")
    sections = [_tiles(survey), _exits(survey), _stuck(survey), _localization(survey), _extremes(survey)]
    return (
        f"{beginning(f'Failures of {single_line(name)}', part('failures.style.css', PACKAGE))}<body>\n"
        f"<header><h1>Failures of {_text(name)}</h1><p>{_text(' · '.join(facts))}</p></header>\n"
        f'<main>\n{"".join(sections)}<section class="wide"><h2>Runs that did not solve their instance</h2>\n'
        "<p>Each links to its folder. Call the commands in the folder of this page.</p>\n"
    )


def group(cause: str, count: int) -> str:
    """Return the beginning of a cause's table."""
    heads = "".join(
        f"<th{' class=number' * (name in ('$', 'seconds', 'steps'))}>{name}</th>"
        for name in ("run", "phase", "last actions", "last result", "gold files", "steps", "seconds", "$")
    )
    shown, meaning = " open" if count <= 20 else "", _text(OUTCOME_REASONS[cause].headline)
    return (
        f'<details{shown}><summary><b class="{cause}">{cause}</b> {count} · {meaning}</summary>\n'
        f'<div class="scroll"><table class="runs"><thead><tr>{heads}</tr></thead><tbody>\n'
    )


def row(case: Case) -> str:
    """Return the row of a run that did not solve its instance."""
    done, diagnosis = case.done, case.diagnosis
    said = [done.error, diagnosis.seen] if case.cause in ("error", "infrastructure") else [diagnosis.seen, done.error]
    notes = [note for note in said if note][:2]
    if case.resolved is False and case.patch:
        notes.insert(0, "The evaluation's tests fail with its patch.")
    if diagnosis.damaged and case.cause != "infrastructure":
        notes.insert(0, diagnosis.damaged)
    cells = [
        f"{_run(done.run)}<code>swe-agent show {_text(shlex.quote(f'runs/{done.run}'))}</code>",
        _text(diagnosis.phase),
        _text(", ".join(diagnosis.acted)),
        "<br>".join(map(_text, notes)),
        _text(_gold(case)),
    ]
    figures = [str(done.steps), f"{done.seconds:.0f}", NOTHING if done.dollars is None else f"{done.dollars:.4f}"]
    return f"<tr>{_cells(cells)}{_cells(figures, 'number')}</tr>\n"


def _tiles(survey: FailureStatistics) -> str:
    share = f"{survey.solved / survey.runs:.0%} of {survey.runs}" if survey.runs else "of none"
    known = survey.dollars if survey.priced else None
    cached = f", {survey.cached_tokens / survey.input_tokens:.0%} cached" if survey.input_tokens else ""
    tiles = [
        (str(survey.solved), "solved", share),
        (money(survey.per_solved) if survey.solved else NOTHING, "per solved instance", f"{money(known)} in total"),
        (thousands(survey.input_tokens), "tokens in", f"{thousands(survey.output_tokens)} out{cached}"),
        (clock(survey.middle), "median run", "of working time"),
    ]
    html = (f"<div><b>{_text(a)}</b><span>{_text(b)}</span><small>{_text(c)}</small></div>" for a, b, c in tiles)
    return f'<div class="tiles">{"".join(html)}</div>\n'


def _exits(survey: FailureStatistics) -> str:
    most = max((one.runs for one in survey.causes.values()), default=1)
    rows = []
    for cause, words in OUTCOME_REASONS.items():
        if (one := survey.causes.get(cause)) is None:
            continue
        long = round(BAR * one.runs / most)
        bar = f'<svg class="{cause}" width="{BAR}" height="10"><rect width="{long}" height="10"/></svg>'
        figures = [str(one.runs), str(one.patches), str(one.solved), f"{one.dollars:.2f}"]
        apart = ' class="apart"' if cause == "infrastructure" else ""
        named = _cells([f'<b class="{cause}">{cause}</b><small>{_text(words.headline)}</small>', bar])
        rows.append(f"<tr{apart}>{named}{_cells(figures, 'number')}</tr>")
    return _section("How runs ended", ("", "", "#runs", "#with a patch", "#solved", "#$"), rows)


def _stuck(survey: FailureStatistics) -> str:
    """Return tables of where runs got stuck, and of the results that they most often saw last."""
    ways = [
        f"<tr>{_cells([str(one.runs)], 'number')}"
        f"{_cells([_text(phase or NOTHING), _text(', '.join(acted) or NOTHING), _run(one.run)])}</tr>"
        for phase, acted, one in survey.stuck
    ]
    seen = [
        f"<tr>{_cells([str(one.runs)], 'number')}{_cells([_text(one.text), _run(one.run)])}</tr>"
        for one in survey.frequent
    ]
    return _section("Where they got stuck", ("#runs", "phase", "last actions", "example"), ways) + _section(
        "What they saw last", ("#runs", "first line", "example"), seen
    )


def _localization(survey: FailureStatistics) -> str:
    if not survey.golds:
        return ""
    rows = [
        f"<tr>{_cells([SHARES[solved]])}{_cells(_shares(one), 'number')}</tr>"
        for solved, one in survey.places.items()
        if one.runs
    ]
    heads = ("", "#runs", "#all at 1", "#all in 5", "#all edited", "#some edited", "#in 5, not edited")
    note = (
        "Files of the base that the gold patch changes. All at 1, all in 5: localization ranks them first, or among "
        "the first five. Edited: by the run's own patch."
    )
    return _section("Localization compared with gold", heads, rows, note)


def _shares(one: LocalizationStatistics) -> list[str]:
    def share(count: int, of: int) -> str:
        return f"{count} ({count / of:.0%})" if of else NOTHING

    ranked = [share(one.first, one.ranked), share(one.five, one.ranked)]
    edited = [share(one.all, one.runs), share(one.some, one.runs), share(one.missed, one.ranked)]
    return [str(one.runs), *ranked, *edited]


def _extremes(survey: FailureStatistics) -> str:
    def rows(cases: Iterable[Case]) -> Iterator[str]:
        for case in cases:
            done = case.done
            figures = [clock(done.seconds), money(done.dollars, 4), str(done.steps), thousands(done.input_tokens)]
            named = _cells([_run(done.run), f'<b class="{case.cause}">{case.cause}</b>'])
            yield f"<tr>{named}{_cells(figures, 'number')}</tr>"

    heads = ("run", "", "#time", "#$", "#steps", "#tokens in")
    return _section("Slowest", heads, list(rows(survey.slowest))) + _section(
        "Most expensive", heads, list(rows(survey.dearest))
    )


def _gold(case: Case) -> str:
    """Return how many files of the gold patch the run edited, and at which rank localization found them."""
    if (found := case.found) is None:
        return ""
    named = {None: "", 0: "; not all found"}.get(found.rank, f"; found by rank {found.rank}")
    return f"{found.edited} of {found.gold} edited{named}"


def _section(title: str, heads: Iterable[str], rows: list[str], note: str = "") -> str:
    """Return a section with a table; a heading that begins with # marks a numeric column."""
    if not rows:
        return ""
    head = "".join(f'<th class="number">{name[1:]}</th>' if name[:1] == "#" else f"<th>{name}</th>" for name in heads)
    said = f"<p>{note}</p>" if note else ""
    return (
        f'<section><h2>{title}</h2>{said}<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>\n{chr(10).join(rows)}\n</tbody></table></div></section>\n"
    )


def _cells(values: Iterable[str], kind: str = "") -> str:
    of = f' class="{kind}"' if kind else ""
    return "".join(f"<td{of}>{value}</td>" for value in values)


def _run(name: str) -> str:
    return f'<a href="runs/{escape(quote(name, safe=""))}/">{_text(name)}</a>'


def _text(text: str) -> str:
    return escape(single_line(text))
