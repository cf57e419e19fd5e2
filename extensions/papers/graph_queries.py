"""Searches of the code graph: a role says in words what it looks for, and another role writes each search in SQL.

The two roles and the search in rounds follow CodexGraph (arXiv 2408.03910), with SQL in place of Cypher; using one
model to turn the issue into searches and another to rank the results follows CGM (arXiv 2505.16901).
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aci.localization.issue_localization import query_tree_graph, text_of
from aci.observation.untrusted_text import quote_text
from aci.repository.file_blobs import TreeBlobs
from agent.candidates.attempt_summary import cut
from agent.candidates.role_questions import Question, ask_roles
from extensions.papers.graph_sql.graph_database import SCHEMA, write_database
from extensions.papers.graph_sql.graph_queries import run_sql
from trajectories.temporary_folders import temporary_folder

if TYPE_CHECKING:
    from agent.engine.task import Task
    from trajectories.records import Step

MOST_SEARCHES, MOST_ROWS = 4, 40
"""Maximum number of searches in an answer, and of rows in a result."""
LONGEST_SEARCH, LONGEST_STATEMENT, LONGEST_RESULT = 1_000, 4_000, 8_000
ASK = """\
Search the code graph with lines like these, up to four in an answer:
search: subclasses of Shape, direct or indirect, without a method `area`
search: functions in src/ that call both `parse` and `render`
Say exactly what you look for; it is translated into a query. The graph knows files, classes, methods and functions \
with names, lines, signatures and first lines of docstrings, and which refer to, inherit from, override or contain \
which. It does not know the text of their code."""
TRANSLATE = f"""\
Tables of the code graph of a repository (SQLite):

{SCHEMA}

Write one SELECT statement for the search below, between ```sql and ```. Select the columns path, line and full_name \
of each place that is looked for, and what else answers the search. Join on ids where you can. Compare names exactly, \
or with GLOB for patterns."""
AGAIN = "Your statement failed. Write another one, between ```sql and ```."
SEARCH = re.compile(r"^[ \t>*-]*search:[ \t]*(\S.*)$", re.MULTILINE | re.IGNORECASE)
STATEMENT = re.compile(r"```(?:sql)?[ \t]*\n(.*?)```", re.DOTALL | re.IGNORECASE)


def run_searches(task: Task, words: str, most: int, translator: str) -> Generator[Step, None, str]:
    """Run a conversation without tools, with at most `most` replies that contain searches, and return its final
    answer. The role `translator` writes the searches in SQL."""
    yield task.say(f"{words}\n\n{ASK}")
    said = ""
    for number in range(most + 1):
        reply = task.ask(tools=False)
        said = reply.text
        searches = [one[:LONGEST_SEARCH] for one in SEARCH.findall(said)][:MOST_SEARCHES] if number < most else []
        if not searches:
            yield task.step(reply, ())
            return said
        yield task.step(reply, (), ())
        found = yield from _search(task, searches, number + 1, translator)
        left = most - number - 1
        end = f"You may search {left} more times, or answer." if left else "Answer now, without a search."
        yield task.say("\n\n".join([*map(quote_text, found), end]), author="graph")
    return said


def _search(task: Task, searches: Sequence[str], round: int, translator: str) -> Generator[Step, None, list[str]]:
    """Return the results of the searches. A statement that fails is written again, once."""
    prompts = [f"{TRANSLATE}\n\nThe search:\n{quote_text(search)}" for search in searches]
    numbers = list(range(len(searches)))
    results = [""] * len(searches)
    for attempt in (1, 2):
        names = [f"sql-{round}-{number + 1}" + ("-again" if attempt > 1 else "") for number in numbers]
        asked = [Question(name, translator, prompts[number]) for name, number in zip(names, numbers, strict=True)]
        answers = yield from ask_roles(task, asked)
        statements = [_statement(answer) for answer in answers]
        found = task.once(f"searches {round}.{attempt}", lambda given=statements: _run(task, given))  # type: ignore[misc]
        failed = []
        for number, statement, (error, text) in zip(numbers, statements, found, strict=True):
            results[number] = f"search: {searches[number]}\n{statement}\n\n{text}"
            if error:
                failed.append(number)
                shown = quote_text(f"{statement}\n\n{text}")
                prompts[number] += f"\n\n{AGAIN}\n{shown}"
        numbers = failed
        if not failed:
            break
    return results


def _statement(answer: str) -> str:
    fenced = STATEMENT.search(answer)
    return (fenced[1] if fenced else answer).strip()[:LONGEST_STATEMENT]


def _run(task: Task, statements: Sequence[str]) -> list[tuple[bool, str]]:
    """Return, for each statement, whether it failed, and its result as text."""
    blobs = TreeBlobs(task.trees, task.turn.base.tree)
    with temporary_folder() as folder:
        file = Path(folder) / "graph.sqlite"
        about = text_of(task.turn.issue)
        query_tree_graph(blobs, about, lambda graph: write_database(graph, file), task.branch.notify)
        return [_result(file, statement) for statement in statements]


def _result(file: Path, statement: str) -> tuple[bool, str]:
    found = run_sql(file, statement, MOST_ROWS)
    if found.error:
        return True, f"The statement failed: {found.error}."
    rows = [" | ".join("" if value is None else str(value) for value in row) for row in found.rows]
    more = [f"… more than {MOST_ROWS} rows"] if found.cut else []
    return False, cut("\n".join([" | ".join(found.columns), *(rows or ["(no rows)"]), *more]), LONGEST_RESULT)
