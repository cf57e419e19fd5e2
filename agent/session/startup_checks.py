"""What a user is to know before the first request: what is missing, what is odd, and what to do about it."""

from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING

from aci.committing import recover
from agent.session.events import Told
from trajectories.errors import SweAgentError

if TYPE_CHECKING:
    from agent.session.session import Session

NO_MODEL = (
    "No model is configured. `swe-agent config set model NAME` names one, `swe-agent config key PROVIDER` keeps its "
    "key. Until then /locate, /test, !command and repair without a model work."
)
PLAIN = (
    "{root} is no git repository: it can be read and asked about, so the mode is plan. With /mode build the session "
    "changes its own copy; /apply shows what and asks, before anything is written here. `git init` keeps a past."
)
NO_DOCKER = (
    "Nothing can be run yet: {why} Start Docker, or open the session with --workspace local, which works on a copy of "
    "the repository, with no boundary around what runs."
)


def welcome(session: Session) -> Thread:
    """Tell what can be told at once; what takes a while to find out is told when it is known, by the thread that is
    returned."""
    for text in session.start.trouble:
        session.hear(Told(text, "error", code=0))
    if session.start.reload is not None:
        text = "Until it is mended nothing runs here; it is read again at each request. /help works."
        session.hear(Told(text, "error", code=0))
    for text in (*_of_repository(session), *_unfinished_commit(session)):
        session.tell(text, "notice")
    looking = Thread(target=_look, args=(session,), name="welcome", daemon=True)
    looking.start()
    return looking


def _of_repository(session: Session) -> list[str]:
    """What about the user's repository is out of the ordinary."""
    folder = session.start.source.git_dir
    found = [PLAIN.format(root=session.start.source.root)] if session.start.source.plain else []
    for file, what in (
        ("MERGE_HEAD", "a merge"),
        ("rebase-merge", "a rebase"),
        ("rebase-apply", "a rebase"),
        ("CHERRY_PICK_HEAD", "a cherry-pick"),
        ("REVERT_HEAD", "a revert"),
        ("BISECT_LOG", "a bisect"),
    ):
        if (folder / file).exists():
            found.append(f"The repository is in the middle of {what}: the session begins with the files as they are.")
    return found[:1]


def _unfinished_commit(session: Session) -> list[str]:
    """Finish what a session that was killed during a commit left in the user's repository."""
    root = session.start.source.root
    try:
        made = recover(session.start.source)
    except SweAgentError as error:
        return [f"{error.message} {error.fix}"]
    return [f"A session was killed while committing in {root}. Commit {made[:10]} was completed."] if made else []


def _look(session: Session) -> None:
    """In a thread of its own: importing a provider's library or reaching Docker takes a second."""
    for look in (_model, _docker):
        if text := look(session):
            session.tell(text, "notice")


def _model(session: Session) -> str:
    from agent.casting import check_models

    if session.start.reload is not None:
        return ""  # it may be in the file that cannot be read
    if not session.settings.model:
        return NO_MODEL
    try:
        check_models(session.settings)
    except SweAgentError as error:
        return f"{error.message} {error.fix} Until then /locate, /test and !command work."
    return ""


def _docker(session: Session) -> str:
    if session.settings.workspace != "docker":
        return ""
    from aci.daemon import connect
    from trajectories.errors import WorkspaceError

    try:
        connect().rest()
    except WorkspaceError as error:
        return NO_DOCKER.format(why=error.message)
    return ""
