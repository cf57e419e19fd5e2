"""The start-up checks of a session: what is missing or unusual, and how to fix it."""

from __future__ import annotations

from dataclasses import replace
from threading import Thread
from typing import TYPE_CHECKING

from agent.conversation.model_roles import needs_model
from extensions.interactive.session.session_events import MessageEvent
from extensions.interactive.session.user_commit import recover_commit
from trajectories.errors import SweAgentError, TryLater

if TYPE_CHECKING:
    from collections.abc import Callable

    from aci.repository.user_repository import Repository
    from agent.config.settings import Settings
    from extensions.interactive.session.session_events import Event
    from extensions.interactive.session.session_start import Start

PLAIN = (
    "{root} is not a git repository with a commit, so the mode is plan, which only reads. With /mode build the session "
    "changes its own copy; /apply shows the changes and asks before it writes them here."
)
NO_DOCKER = (
    "Nothing can be run yet: {why} Start Docker, or open the session with --workspace {other}. It works on a copy of "
    "the repository."
)

UNFINISHED = "The last run here did not end: {run}, “{title}”. `/resume {run}` resumes it."
OTHER_SESSION = "Another session works on this repository: {run}, “{title}”."


def run_startup_checks(
    start: Start, current_settings: Callable[[], Settings], hear: Callable[[Event], object]
) -> Thread:
    """Run the quick checks at once and the slow ones in a thread; return the thread.

    `hear` receives the messages. `current_settings` returns the session's settings, which may change meanwhile.
    """
    for text in start.trouble:
        hear(MessageEvent(text, "error", code=0))
    if start.broken:
        text = "Nothing runs until this is fixed; it is read again at each request. /help works."
        hear(MessageEvent(text, "error", code=0))
    for text in (*_check_repository(start.source), *_unfinished_commit(start.source)):
        hear(MessageEvent(text, "notice"))
    earlier = {folder.name for folder in start.settings.runs.glob("*")}  # not the run that this session begins
    arguments = (start, current_settings, hear, earlier)
    looking = Thread(target=_run_slow_checks, args=arguments, name="welcome", daemon=True)
    looking.start()
    return looking


def _check_repository(source: Repository) -> list[str]:
    """Return messages about an unusual state of the user's repository."""
    folder = source.git_dir
    found = [PLAIN.format(root=source.root)] if source.plain else []
    for file, what in (
        ("MERGE_HEAD", "a merge"),
        ("rebase-merge", "a rebase"),
        ("rebase-apply", "a rebase"),
        ("CHERRY_PICK_HEAD", "a cherry-pick"),
        ("REVERT_HEAD", "a revert"),
        ("BISECT_LOG", "a bisect"),
    ):
        if (folder / file).exists():
            found.append(f"The repository is in the middle of {what}; the session starts with the files as they are.")
    return found[:1]


def _unfinished_commit(source: Repository) -> list[str]:
    """Finish a commit that a killed session left incomplete in the user's repository."""
    root = source.root
    try:
        made = recover_commit(source)
    except SweAgentError as error:
        return [f"{error.message} {error.fix}"]
    return [f"A session was killed while committing in {root}. Commit {made[:10]} was completed."] if made else []


def _run_slow_checks(
    start: Start, current_settings: Callable[[], Settings], hear: Callable[[Event], object], earlier: set[str]
) -> None:
    """Run the slow checks: importing a provider's library or connecting to Docker can take a second."""
    needs_model("build")  # imports the strategies before the first request
    # With an invalid config file the model is unknown, because that file may set it; a resumed run has its own.
    is_resumed = start.run is not None or start.choose
    is_unknown = start.broken or (is_resumed and not start.settings.model)
    for look in (_docker,) if is_unknown else (_model, _docker):
        if event := look(current_settings()):
            hear(event)
    if not is_resumed and not start.broken and (words := _unfinished_run(start, earlier)):
        hear(MessageEvent(words, "notice"))


def _unfinished_run(start: Start, earlier: set[str]) -> str:
    """Return a message about the newest of the repository's `earlier` runs if its last turn did not end."""
    from agent.runs.resumable_runs import runs_of
    from trajectories.journal import lock_run

    runs = start.settings.runs
    known = (run for run in runs_of(runs, start.source.root) if run.name in earlier and not run.is_proof)
    newest = next(known, None)
    if newest is None or newest.ended:
        return ""
    try:
        lock_run(runs / newest.name).release()
    except TryLater:
        return OTHER_SESSION.format(run=newest.name, title=newest.title)
    except (SweAgentError, OSError):
        return ""
    return UNFINISHED.format(run=newest.name, title=newest.title)


def _model(settings: Settings) -> Event | None:
    from agent.conversation.model_roles import check_models
    from extensions.interactive.session.model_choice import NO_MODEL, request_model, request_price

    if not settings.model:
        request = request_model(settings)
        return replace(request, at_start=True) if request else MessageEvent(NO_MODEL, "notice")
    try:
        request = request_price(settings, check_models(settings))
        return replace(request, at_start=True) if request else None
    except SweAgentError as error:
        text = (
            f"{error.message} {error.fix} Then `/model {settings.model}`. Until then /locate, /test and !command work."
        )
        return MessageEvent(text, "notice")


def _docker(settings: Settings) -> Event | None:
    if settings.workspace != "docker":
        return None
    from aci.docker.docker_daemon import OTHER_WORKSPACE, connect
    from trajectories.errors import WorkspaceError

    try:
        connect().rest()
    except WorkspaceError as error:
        return MessageEvent(NO_DOCKER.format(why=error.message, other=OTHER_WORKSPACE), "notice")
    return None
