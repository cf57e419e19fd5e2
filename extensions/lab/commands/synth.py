"""Make verified tasks from a repository whose tests run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli import shared_options as options
from agent.console.error_report import report_error
from agent.console.process_end import exit_process
from trajectories.errors import Cancelled, UsageError

if TYPE_CHECKING:
    from extensions.lab.synthesis.synthesis_job import SynthesisOptions, SynthesisResult

RESUME_ADVICE = "Run the same command again to continue."


def command(
    repo: Annotated[str, typer.Argument(help="Repository: a folder, or a URL to clone.", metavar="REPO")],
    out: Annotated[Path, typer.Option(help="Output file; its name must end in .jsonl.", metavar="F")],
    count: Annotated[int, typer.Option(help="Number of instances in the file.", min=1, metavar="N")] = 50,
    kinds: Annotated[str, typer.Option(help="Kinds of tasks, separated by commas.", metavar="K,..")] = "plant",
    seed: Annotated[int, typer.Option(help="Seed of the random choices.", metavar="S")] = 0,
    base: Annotated[str, typer.Option(help="Commit to make tasks from.", metavar="REV")] = "HEAD",
    workers: Annotated[
        int, typer.Option(help="Number of candidates to validate at the same time.", min=1, max=1000, metavar="N")
    ] = 2,
    engine: Annotated[str, typer.Option(help="Where candidates are validated: local or ray.", metavar="E")] = "local",
    engine_option: options.EngineOption = None,
    difficulty: Annotated[
        str,
        typer.Option(
            help="`full` also tries template repair, for up to 60 CPU seconds per task.", metavar="quick|full"
        ),
    ] = "quick",
    model: Annotated[
        str | None, typer.Option(help="Model for issue texts and for the kind `rewrite`; default: none.", metavar="M")
    ] = None,
    budget: options.Budget = None,
    max_tokens: options.MaxTokens = None,
    test: options.Test = None,
    workspace: options.Workspace = None,
    image: options.Image = None,
    json: options.Json = False,
    plain: options.Plain = False,
) -> int:
    """Make verified tasks in the format of SWE-bench from a repository whose tests run.

    Each task consists of a change that makes the same tests fail in two runs, and the patch that reverts the change.
    Tasks that are already in the output file are not made again.

    Exit codes: 0 (done, even with fewer than N instances), 1 (no instance), 2 (usage), 3 (configuration), 4 (budget
    used up), 5 (workspace), 75 (try again later), 130 (interrupted).
    """
    from extensions.lab.instances.jobs import read_engine_options
    from extensions.lab.synthesis.synthesis_files import check_out
    from extensions.lab.synthesis.synthesis_job import SynthesisOptions

    check_out(out)
    wanted = tuple(dict.fromkeys(kind.strip() for kind in kinds.split(",") if kind.strip()))
    if not wanted:
        raise UsageError("--kinds names no kind.", "Give some, separated by commas, such as --kinds plant.")
    if difficulty not in ("quick", "full"):
        raise UsageError(f"--difficulty {difficulty!r} is unknown.", "Give quick or full.")
    asked = SynthesisOptions(out.absolute(), count, wanted, seed, workers, test or "", difficulty == "full")
    place = _Place(repo, base, engine, read_engine_options(engine_option or ()))
    given = {"workspace": workspace, "image": image, "model": model, "budget": budget, "max_tokens": max_tokens}
    try:
        found = _synthesize(place, asked, given, plain)
    except Cancelled:
        raise Cancelled("Interrupted.", RESUME_ADVICE) from None
    except KeyboardInterrupt:  # a second interrupt: do not wait for threads
        report_error(["--json"] if json else [], Cancelled.code, "Interrupted.", RESUME_ADVICE)
        exit_process(Cancelled.code, patience=0)
    _show(found, asked, json, plain)
    return 0 if found.instances else 1


@dataclass(frozen=True, slots=True)
class _Place:
    """The repository and its commit, and where candidates are validated."""

    repo: str
    base: str
    engine: str
    engine_options: dict[str, str]


def _synthesize(where: _Place, asked: SynthesisOptions, wanted: dict[str, Any], plain: bool) -> SynthesisResult:
    from contextlib import ExitStack, closing
    from dataclasses import replace

    from aci.repository.user_repository import Repository
    from agent.config.settings import load_settings
    from agent.config.workspace_choice import choose_workspace
    from agent.console.rich_terminal import clean_printer, console, plain_waiting
    from agent.engine.base_workspace import open_base, open_in_environment
    from agent.inputs.issue_input import repository_from
    from extensions.lab.evaluation.evaluation import stop_on_signal
    from extensions.lab.instances.jobs import ExecutorOptions
    from extensions.lab.synthesis.synthesis_files import questions_folder
    from extensions.lab.synthesis.synthesis_job import find_kinds, synthesize
    from extensions.lab.synthesis.validation_executor import WORKSPACE_SETTINGS, open_executor

    find_kinds(asked.kinds, has_model=bool(wanted["model"]))
    say = clean_printer(console(plain, stderr=True))
    source = Repository.open(repository_from(where.repo, plain_waiting))
    own = source.file(".swe-agent.toml", where.base) or b""
    settings = choose_workspace(load_settings(own, test=asked.test or None, **wanted), say)
    with ExitStack() as stack:
        cancel = stack.enter_context(stop_on_signal())
        engine = ExecutorOptions(asked.out, asked.workers, cancel, where.engine_options)
        executor = stack.enter_context(closing(open_executor(where.engine, engine)))
        place, environment = stack.enter_context(open_base(source, where.base, settings, say))
        place = replace(place, cancel=cancel)
        questions = None
        if wanted["model"]:
            from extensions.lab.synthesis.model_questions import ModelQuestions

            questions = ModelQuestions(settings, questions_folder(asked.out), cancel, say)
            stack.enter_context(closing(questions))
        opened = stack.enter_context(closing(open_in_environment(settings.workspace, place, environment)))
        return synthesize(
            opened,
            place,
            replace(asked, test=environment.test),
            say,
            questions,
            executor=executor,
            settings=settings.model_dump(mode="json", include=set(WORKSPACE_SETTINGS)),
        )


def _show(found: SynthesisResult, asked: SynthesisOptions, json: bool, plain: bool) -> None:
    if json:
        from json import dumps

        tried = {name: dict(counts) for name, counts in found.tried.items()}
        typer.echo(dumps({"out": str(asked.out), "instances": found.instances, "tried": tried}))
        return
    from agent.console.rich_terminal import console

    lines = [f"{asked.out} has {found.instances} of {asked.count} instances."]
    for name, counts in sorted(found.tried.items()):
        results = ", ".join(f"{count} {result}" for result, count in counts.most_common())
        lines.append(f"{name}: {results}")
    console(plain).print("\n".join(lines), markup=False)
