"""The failure page as HTML: what stands above, a table of runs for each cause, a row a run.

All of it is escaped: names, observations and errors are strangers'. No script runs, nothing is fetched.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from html import escape
from urllib.parse import quote

from agent.batch.survey import Case, Localized, Survey
from agent.batch.telling import clock, line, money
from agent.live import thousands
from trajectories.pages import beginning, part

MEANINGS = {
    "verified": "a test proves the patch",
    "unproven": "a patch, but the proof is not complete",
    "empty": "ended without a patch",
    "stuck": "went round in circles",
    "budget": "the budget ended first",
    "limit": "steps or time were used up",
    "error": "the model could not go on",
    "infrastructure": "the machine, an image or the instance: no word on the model",
}
NOTHING = "—"
SHARES = {True: "solved", False: "not solved"}
BAR = 80
GROUP_END = "</tbody></table></div></details>\n"
END = "</section>\n</main>\n</body>\n</html>\n"


def above(survey: Survey, name: str) -> str:
    """The page up to the tables of runs."""
    judge = "an evaluation says what is solved" if survey.graded else "not evaluated: solved is what a run has proven"
    told = ["1 run" if survey.runs == 1 else f"{survey.runs} runs", judge]
    if survey.unreadable:
        told.append(f"lines of results.jsonl that cannot be read: {survey.unreadable}")
    if survey.damaged:
        told.append(f"journals that cannot be read whole: {survey.damaged}")
    sections = [_tiles(survey), _exits(survey), _stuck(survey), _places(survey), _ends(survey)]
    return (
        f"{beginning(f'Failures of {line(name)}', part('failures.style.css'))}<body>\n"
        f"<header><h1>Failures of {_text(name)}</h1><p>{_text(' · '.join(told))}</p></header>\n"
        f'<main>\n{"".join(sections)}<section class="wide"><h2>Runs that solved nothing</h2>\n'
        "<p>Each lies in its folder; the command shows it, called where this page lies.</p>\n"
    )


def group(cause: str, count: int) -> str:
    """The beginning of a cause's table."""
    heads = "".join(
        f"<th{' class=number' * (name in ('$', 'seconds', 'steps'))}>{name}</th>"
        for name in ("run", "phase", "last actions", "what came of the last", "gold files", "steps", "seconds", "$")
    )
    shown = " open" if count <= 20 else ""
    return (
        f'<details{shown}><summary><b class="{cause}">{cause}</b> {count} · {MEANINGS[cause]}</summary>\n'
        f'<div class="scroll"><table class="runs"><thead><tr>{heads}</tr></thead><tbody>\n'
    )


def row(case: Case) -> str:
    """A run that solved nothing."""
    done, told = case.done, case.diagnosis
    said = [done.error, told.seen] if case.cause in ("error", "infrastructure") else [told.seen, done.error]
    notes = [note for note in said if note][:2]
    if case.resolved is False and case.patch:
        notes.insert(0, "The evaluation's tests fail with its patch.")
    if told.damaged and case.cause != "infrastructure":
        notes.insert(0, told.damaged)
    cells = [
        f"{_run(done.run)}<code>swe-agent show {_text(shlex.quote(f'runs/{done.run}'))}</code>",
        _text(told.phase),
        _text(", ".join(told.acted)),
        "<br>".join(map(_text, notes)),
        _text(_gold(case)),
    ]
    figures = [str(done.steps), f"{done.seconds:.0f}", NOTHING if done.dollars is None else f"{done.dollars:.4f}"]
    return f"<tr>{_cells(cells)}{_cells(figures, 'number')}</tr>\n"


def _tiles(survey: Survey) -> str:
    share = f"{survey.solved / survey.runs:.0%} of {survey.runs}" if survey.runs else "of none"
    known = survey.dollars if survey.priced else None
    cached = f", {survey.cached_tokens / survey.input_tokens:.0%} cached" if survey.input_tokens else ""
    tiles = [
        (str(survey.solved), "solved", share),
        (money(survey.per_solved) if survey.solved else NOTHING, "for each solved", f"{money(known)} in all"),
        (thousands(survey.input_tokens), "tokens in", f"{thousands(survey.output_tokens)} out{cached}"),
        (clock(survey.middle), "the middle run", "of working time"),
    ]
    told = (f"<div><b>{_text(a)}</b><span>{_text(b)}</span><small>{_text(c)}</small></div>" for a, b, c in tiles)
    return f'<div class="tiles">{"".join(told)}</div>\n'


def _exits(survey: Survey) -> str:
    most = max((one.runs for one in survey.causes.values()), default=1)
    rows = []
    for cause, meaning in MEANINGS.items():
        if (one := survey.causes.get(cause)) is None:
            continue
        long = round(BAR * one.runs / most)
        bar = f'<svg class="{cause}" width="{BAR}" height="10"><rect width="{long}" height="10"/></svg>'
        figures = [str(one.runs), str(one.patches), str(one.solved), f"{one.dollars:.2f}"]
        apart = ' class="apart"' if cause == "infrastructure" else ""
        named = _cells([f'<b class="{cause}">{cause}</b><small>{meaning}</small>', bar])
        rows.append(f"<tr{apart}>{named}{_cells(figures, 'number')}</tr>")
    return _section("How runs ended", ("", "", "#runs", "#with a patch", "#solved", "#$"), rows)


def _stuck(survey: Survey) -> str:
    """Where runs got stuck, and what most of them saw last."""
    ways = [
        f"<tr>{_cells([str(one.runs)], 'number')}"
        f"{_cells([_text(phase or NOTHING), _text(', '.join(acted) or NOTHING), _run(one.run)])}</tr>"
        for phase, acted, one in survey.stuck
    ]
    seen = [
        f"<tr>{_cells([str(one.runs)], 'number')}{_cells([_text(one.text), _run(one.run)])}</tr>" for one in survey.seen
    ]
    return _section("Where they got stuck", ("#runs", "phase", "last actions", "such as"), ways) + _section(
        "What they saw last", ("#runs", "first line", "such as"), seen
    )


def _places(survey: Survey) -> str:
    if not survey.golds:
        return ""
    rows = [
        f"<tr>{_cells([SHARES[solved]])}{_cells(_shares(one), 'number')}</tr>"
        for solved, one in survey.places.items()
        if one.runs
    ]
    heads = ("", "#runs", "#all at 1", "#all in 5", "#all edited", "#some edited", "#in 5, not edited")
    note = (
        "Files of the base that the gold patch changes. All at 1, all in 5: localization names them as the first, or "
        "among the first five. Edited: by the run's own patch."
    )
    return _section("Places against gold", heads, rows, note)


def _shares(one: Localized) -> list[str]:
    def share(count: int, of: int) -> str:
        return f"{count} ({count / of:.0%})" if of else NOTHING

    ranked = [share(one.first, one.ranked), share(one.five, one.ranked)]
    edited = [share(one.all, one.runs), share(one.some, one.runs), share(one.missed, one.ranked)]
    return [str(one.runs), *ranked, *edited]


def _ends(survey: Survey) -> str:
    def rows(cases: Iterable[Case]) -> Iterator[str]:
        for case in cases:
            done = case.done
            figures = [clock(done.seconds), money(done.dollars, 4), str(done.steps), thousands(done.input_tokens)]
            named = _cells([_run(done.run), f'<b class="{case.cause}">{case.cause}</b>'])
            yield f"<tr>{named}{_cells(figures, 'number')}</tr>"

    heads = ("run", "", "#time", "#$", "#steps", "#tokens in")
    return _section("Slowest", heads, list(rows(survey.slowest))) + _section(
        "Dearest", heads, list(rows(survey.dearest))
    )


def _gold(case: Case) -> str:
    """How near it came to the files of the gold patch."""
    if (found := case.found) is None:
        return ""
    named = {None: "", 0: "; not all named"}.get(found.rank, f"; named by rank {found.rank}")
    return f"{found.edited} of {found.gold} edited{named}"


def _section(title: str, heads: Iterable[str], rows: list[str], note: str = "") -> str:
    """A table; a heading that begins with # is of numbers."""
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
    return escape(line(text))
