"""What `swe-agent batch` was asked for, checked and put together, and the batch itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from math import fsum
from pathlib import Path
from threading import Lock

from aci.daemon import connect
from agent.batch.appended import no_room
from agent.batch.asked import Asked
from agent.batch.dashboard import front
from agent.batch.driver import Batch, Front, Summary
from agent.batch.finishing import finish
from agent.batch.images import KEPT, Images, bytes_of
from agent.batch.indexing import Indexing
from agent.batch.instances import read_instances, select
from agent.batch.machine import check_machine
from agent.batch.manifest import add_images, check, manifest
from agent.batch.place import Done, PlaceOptions, open_place
from agent.batch.preparing import Preparing
from agent.batch.purse import Purse
from agent.batch.repositories import Repositories
from agent.batch.showing import Showing
from agent.batch.spending import Account, Begun, account
from agent.batch.store import Store
from agent.batch.tally import Plan
from agent.batch.working import Means
from agent.casting import chosen_model, in_use, needs_model
from agent.drive import stop
from agent.engine import Token
from agent.limiter import Limiter
from agent.ownership import claim_output
from agent.settings import Settings, load_settings
from agent.signals import stopped_by_signals
from trajectories.errors import ConfigError, UsageError


def begin(asked: Asked, plain: bool = False) -> Summary:
    """Run the batch, or go on with it, to its end; what stopped it before that is in the summary.

    Raises what is wrong before it is begun: UsageError, ConfigError, TryLater where another process has it; and
    KeyboardInterrupt at a second signal, or one before it is begun.
    """
    given = {name: value for name, value in asked.flags.items() if value is not None}
    given["experience"] = False  # what an instance comes to depends on no other
    settings, state = load_settings(**given, state=asked.out), load_settings().state
    try:
        digest = claim_output(asked.out, state)
    except OSError as error:
        raise no_room(asked.out, error) from error
    model = _checked(settings, asked.total)
    if asked.leaderboard == asked.out:
        raise UsageError("--leaderboard is the folder of --out.", "Name another.")
    if asked.repos is not None and asked.repos.exists() and not asked.repos.is_dir():
        raise UsageError(f"--repos {asked.repos} is no folder.", "Name one, which need not be there yet.")
    options, limit = _options(asked.engine_options), bytes_of(asked.disk_limit)
    instances = select(read_instances(asked.files, asked.hints, asked.out), asked.filter, asked.slice, asked.seed)
    preparing = Preparing(Repositories(asked.repos or state / "clones"), given, asked.out)
    opened: list[Batch] = []
    with stopped_by_signals(lambda: stop(opened)), ExitStack() as stack:
        store = stack.enter_context(Store(asked.out, digest))
        check(asked.out, manifest(settings, instances, asked.files, {}, options=asked.noted))
        found = account(settings.runs, store.done)
        purse = Purse(asked.total, _spent(store.done.values(), found, settings, asked.total))
        limiter, cancel = Limiter(settings.retry_wait, settings.patience), Token()
        shown = Showing(front(Plan(asked.workers, asked.total, settings.budget, limiter.pauses), plain))
        here = asked.engine == "local"
        place = open_place(asked.engine, PlaceOptions(asked.out, asked.workers, cancel, options))
        stack.callback(place.close)
        means = Means(
            place=place,
            store=store,
            purse=purse,
            front=shown,
            cancel=cancel,
            limiter=limiter,
            prepare=preparing,
            model=model,
            check=check_machine if here else None,
            indexing=stack.enter_context(closing(Indexing())) if here else None,
            images=_images(asked.out, limit, shown, stack) if here and settings.workspace == "docker" else None,
            begun=found.begun,
            tries=asked.tries,
        )
        jobs = preparing.jobs(instances, asked.repeat, store.done)
        if means.images is not None:
            jobs = means.images.order(jobs)
        jobs.sort(key=lambda job: turn(found.begun.get(job.run), job.run in store.failed))
        batch = Batch(asked.out, jobs, means, asked.workers)
        opened.append(batch)
        with shown:
            summary = batch.run()
        finish(asked, {done.instance for done in store.done.values()}, summary.left == 0, shown)
        return summary


def turn(begun: Begun | None, failed: bool) -> int:
    """Its place in a batch that is gone on with: what has ended, what is begun, what is new, what failed before."""
    if failed:
        return 3
    return 2 if begun is None else 0 if begun.ended else 1


def _images(out: Path, limit: int | None, shown: Front, stack: ExitStack) -> Images:
    """The images of this machine's daemon. Raises WorkspaceError where there is none."""
    known: dict[str, str] = {}
    lock = Lock()

    def note(digests: Mapping[str, str]) -> None:
        with lock:
            if digests.items() - known.items():
                add_images(out, digests)
                known.update(digests)

    return stack.enter_context(closing(Images(connect(), limit, out / KEPT, shown.say, note)))


def _checked(settings: Settings, total: float | None) -> str:
    """The name that predictions are signed with. Raises UsageError and ConfigError for what would fail each run."""
    strategy = settings.strategy or ("test-then-patch" if settings.model else "templates")
    needs = needs_model(strategy)
    if total is not None and (settings.budget is None or settings.budget > total):
        raise UsageError(
            f"--total {total:g} does not pay for one instance, which may come to {settings.budget or 'anything'}.",
            "Give a higher --total, or a smaller --budget.",
        )
    if not needs and not settings.model:
        return strategy
    for model in in_use(settings, strategy):
        if total is not None and model.price is None:
            raise ConfigError(
                f"Nobody knows the price of {model.name}, so a total in dollars cannot be kept.",
                f"`swe-agent config set models.{model.name}.price_in DOLLARS` per million tokens, the same for "
                "price_out; or give no --total.",
            )
    return chosen_model(settings, settings.model).name


def _spent(done: Iterable[Done], found: Account, settings: Settings, total: float | None) -> float:
    """Dollars of earlier processes. Raises ConfigError where they are not known and a total is to be kept."""
    each = [one.dollars for one in done] + [run.spent for run in found.begun.values()]
    if total is not None and None in each:
        raise ConfigError(
            f"What {each.count(None)} of the instances have cost is not known, so a total in dollars cannot be kept.",
            "Start it again without --total, or begin another batch with another --out.",
        )
    return fsum(amount or 0.0 for amount in each) + found.broken * (settings.budget or 0.0)


def _options(given: Sequence[str]) -> dict[str, str]:
    found = {}
    for option in given:
        name, equals, value = option.partition("=")
        if not name or not equals:
            raise UsageError(f"--engine-option {option!r} is no option.", "Give NAME=VALUE.")
        found[name] = value
    return found
