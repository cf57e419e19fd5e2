"""The start of a batch: checking its options, opening its resources and running it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from math import fsum
from pathlib import Path
from threading import Lock

from aci.docker.docker_daemon import connect
from agent.config.settings import WITHOUT_MEMORY, Settings, load_settings
from agent.config.workspace_choice import choose_workspace
from agent.console.foreground_run import stop
from agent.conversation.model_roles import chosen_model, needs_model, used_models
from agent.limits.cancellation import CancellationToken, stopped_by_signals
from agent.limits.rate_limiter import Limiter
from agent.run_state.run_ownership import claim_output
from agent.run_state.strategy_traits import strategy_of
from extensions.lab.batch.batch_budget import BatchBudget
from extensions.lab.batch.batch_driver import Batch, BatchSummary
from extensions.lab.batch.batch_options import BatchOptions
from extensions.lab.batch.batch_spending import UnfinishedRun, UnfinishedRuns, read_unfinished_runs
from extensions.lab.batch.batch_worker import BatchDisplay, WorkerResources
from extensions.lab.batch.executors import open_executor
from extensions.lab.batch.final_outputs import write_final_outputs
from extensions.lab.batch.index_process import GraphIndexer
from extensions.lab.batch.job_settings import JobPreparation
from extensions.lab.batch.reports.batch_manifest import add_images, check, manifest, read_manifest
from extensions.lab.batch.reports.batch_progress import BatchLimits
from extensions.lab.batch.reports.batch_results import ResultStore
from extensions.lab.batch.reports.fault_tolerant_display import FaultTolerantDisplay
from extensions.lab.batch.reports.progress_display import open_display
from extensions.lab.batch.used_images import used_images
from extensions.lab.instances.append_log import write_error
from extensions.lab.instances.dataset_instances import read_instances, select
from extensions.lab.instances.host_errors import check_machine
from extensions.lab.instances.instance_images import IMAGE_LIST, Images, bytes_of
from extensions.lab.instances.jobs import ExecutorOptions, Instance, JobResult, read_engine_options
from extensions.lab.instances.repository_clones import Repositories
from trajectories.errors import ConfigError, UsageError


def start_batch(asked: BatchOptions, plain: bool = False) -> BatchSummary:
    """Start or resume the batch and run it to its end; the summary contains the error if one stops it.

    Errors that occur before the start are raised: UsageError, ConfigError, and TryLater if another process uses the
    batch's folder. Raises KeyboardInterrupt for a second signal, or for one before the start.
    """
    given = {name: value for name, value in asked.flags.items() if value is not None}
    given |= WITHOUT_MEMORY  # the result of an instance must not depend on other instances
    settings, state = load_settings(**given, state=asked.out), load_settings().state
    try:
        digest = claim_output(asked.out, state)
    except OSError as error:
        raise write_error(asked.out, error) from error
    model = _check_settings(settings, asked.total)
    if asked.leaderboard == asked.out:
        raise UsageError("--leaderboard is the folder of --out.", "Give another one.")
    if asked.repos is not None and asked.repos.exists() and not asked.repos.is_dir():
        raise UsageError(f"--repos {asked.repos} is not a folder.", "Give a folder; it is created if necessary.")
    options, limit = read_engine_options(asked.engine_options), bytes_of(asked.disk_limit)
    instances = select(read_instances(asked.files, asked.hints, asked.out), asked.filter, asked.slice, asked.seed)
    opened: list[Batch] = []
    with stopped_by_signals(lambda: stop(opened)), ExitStack() as stack:
        store = stack.enter_context(ResultStore(asked.out, digest))
        found = read_unfinished_runs(settings.runs, store.done)
        is_started = bool(store.done or found.begun or found.broken)
        notes: list[str] = []
        if asked.engine == "local":
            settings = _choose_workspace(settings, instances, asked.out if is_started else None, notes.append)
            given["workspace"] = settings.workspace
        wanted = manifest(settings, instances, asked.files, {}, options=asked.noted)
        check(asked.out, wanted, is_started, partial(used_images, settings.runs, settings))
        if asked.before_images and asked.engine == "local" and settings.workspace == "docker" and not is_started:
            asked.before_images(len(instances))
        preparing = JobPreparation(Repositories(asked.repos or state / "clones"), given, asked.out)
        batch_budget = BatchBudget(asked.total, _spent(store.done.values(), found, settings, asked.total))
        limiter, cancel = Limiter(settings.retry_wait, settings.patience), CancellationToken()
        shown = FaultTolerantDisplay(
            open_display(BatchLimits(asked.workers, asked.total, settings.budget, limiter.pauses), plain)
        )
        here = asked.engine == "local"
        place = open_executor(asked.engine, ExecutorOptions(asked.out, asked.workers, cancel, options))
        stack.callback(place.close)
        means = WorkerResources(
            place=place,
            store=store,
            batch_budget=batch_budget,
            front=shown,
            cancel=cancel,
            limiter=limiter,
            prepare=preparing,
            model=model,
            check=check_machine if here else None,
            indexing=stack.enter_context(closing(GraphIndexer())) if here else None,
            images=_images(asked.out, limit, shown, stack) if here and settings.workspace == "docker" else None,
            begun=found.begun,
            tries=asked.tries,
        )
        jobs = preparing.jobs(instances, asked.repeat, store.done)
        if means.images is not None:
            jobs = means.images.order(jobs)
        jobs.sort(key=lambda job: classify_jobs(found.begun.get(job.run), job.run in store.failed))
        batch = Batch(asked.out, jobs, means, asked.workers)
        opened.append(batch)
        with shown:
            for note in notes:
                shown.say(note)
            summary = batch.run()
        write_final_outputs(asked, {done.instance for done in store.done.values()}, summary.left == 0, shown)
        return summary


def _choose_workspace(
    settings: Settings, instances: Sequence[Instance], started: Path | None, say: Callable[[str], object]
) -> Settings:
    """Return the settings with the workspace of the runs in `started`, the folder of a batch that has any; else with
    the workspace that is chosen for `fix`. An image that an instance names needs a container."""
    known = read_manifest(started) if started else None
    if known is None and any(instance.image for instance in instances):
        return settings
    return choose_workspace(settings, say, known["room"].get("workspace", "") if known else "")


def classify_jobs(begun: UnfinishedRun | None, failed: bool) -> int:
    """Return a job's rank in a resumed batch: 0 ended, 1 unfinished, 2 new, 3 failed before."""
    if failed:
        return 3
    return 2 if begun is None else 0 if begun.ended else 1


def _images(out: Path, limit: int | None, shown: BatchDisplay, stack: ExitStack) -> Images:
    """Return the images of this machine's Docker daemon. Raises WorkspaceError if it does not answer."""
    known: dict[str, str] = {}
    lock = Lock()

    def note(digests: Mapping[str, str]) -> None:
        with lock:
            if digests.items() - known.items():
                add_images(out, digests)
                known.update(digests)

    return stack.enter_context(closing(Images(connect(), limit, out / IMAGE_LIST, shown.say, note)))


def _check_settings(settings: Settings, total: float | None) -> str:
    """Return the model name for predictions. Raises UsageError and ConfigError for settings with which every run would
    fail."""
    strategy = strategy_of(settings)
    needs = needs_model(strategy)
    if total is not None and (settings.budget is None or settings.budget > total):
        raise UsageError(
            f"--total {total:g} does not cover one instance, which may cost {settings.budget or 'any amount'}.",
            "Give a higher --total or a smaller --budget.",
        )
    if not needs and not settings.model:
        return strategy
    for model in used_models(settings, strategy):
        if total is not None and model.price is None:
            raise ConfigError(
                f"No price is known for {model.name}, so a total in dollars cannot be enforced.",
                f"`swe-agent config set models.{model.name}.price_in DOLLARS` per million tokens, the same for "
                "price_out; or give no --total.",
            )
    return chosen_model(settings, settings.model).name


def _spent(done: Iterable[JobResult], found: UnfinishedRuns, settings: Settings, total: float | None) -> float:
    """Return the dollars that earlier processes spent. Raises ConfigError if the amount is unknown and the batch has a
    total budget."""
    each = [one.dollars for one in done] + [run.spent for run in found.begun.values()]
    if total is not None and None in each:
        raise ConfigError(
            f"The cost of {each.count(None)} instances is not known, so a total in dollars cannot be enforced.",
            "Start it again without --total, or start another batch with another --out.",
        )
    return fsum(amount or 0.0 for amount in each) + found.broken * (settings.budget or 0.0)
