"""An evidence bundle as the input of `swe-agent prove --check`, and as its output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aci.history.repository_identity import url_of
from aci.observation.secret_masking import mask_secrets
from aci.observation.untrusted_text import escape_invisible, one_line
from aci.repository.proposed_patch import tree_of_diff
from agent.config.settings import load_settings
from agent.console.rich_terminal import plain_waiting
from agent.inputs.issue_input import repository_for
from agent.inputs.patch_input import FoundPatch, IssueOptions, Say, find_issue
from agent.run_state.proposed_tree import Proposal
from agent.run_state.terminal_question import confirm
from extensions.bundles.proof_bundle import REMAKE, Bundle, read_bundle, source_of, write_bundle
from extensions.bundles.proof_claims import (
    claims_of,
    decode_claims,
    encode_claims,
    find_differences,
    find_environment_differences,
    find_evidence_difference,
)
from trajectories.errors import UsageError
from trajectories.facts import Fact
from trajectories.git_store.trees import Trees
from trajectories.verdict import Verdict

if TYPE_CHECKING:
    from aci.repository.user_repository import Repository
    from agent.engine.engine import Engine


def find_bundled_patch(
    file: Path, base: str | None, issue: IssueOptions, repo: str | None, test: str | None, say: Say
) -> FoundPatch:
    """Return the patch of a bundle. Raises UsageError, and what reading the issue raises."""
    if base:
        raise UsageError("--check and --base were both given.", "The bundle names the base.")
    bundle = read_bundle(file)
    asked = find_issue(issue, say, repo=repo)
    source = repository_for(None, repo, confirm, say, waiting=plain_waiting)
    commit, proposal = proposal_of_bundle(source, bundle)
    own = load_settings(source.file(".swe-agent.toml", commit) or b"").test
    command = bundle.command if bundle.command != own and not test else ""
    if command and not confirm(
        f"The bundle's tests ran with the command {escape_invisible(command)}.", "Run it in Docker?"
    ):
        say(f"The bundle's test command is not used: {escape_invisible(command)}. Give it with --test to use it.")
        command = ""
    return FoundPatch(source, commit, proposal, asked if asked.title else bundle.issue, command)


def proposal_of_bundle(source: Repository, bundle: Bundle) -> tuple[str, Proposal]:
    """Return the commit that a bundle's patch applies to, and the patch with the bundle's claims.

    Raises UsageError if the repository does not have the commit.
    """
    try:
        commit = source.commit(bundle.base)
    except UsageError:
        where = one_line(bundle.claims.source.get("repository", ""))
        raise UsageError(
            f"The bundle's base {bundle.base[:10]} is not in {source.root}.",
            f"Give a clone of {where or 'its repository'} with --repo.",
        ) from None

    def tree(trees: Trees) -> str:
        return tree_of_diff(source, trees, commit, bundle.diff, REMAKE)

    def problems(trees: Trees, patched: str) -> Iterator[str]:
        yield from bundle.problems
        own = source_of(url_of(source), commit, source.base(trees, commit).tree, patched)
        yield from find_differences(bundle.claims, replace(bundle.claims, source=own))

    claims = encode_claims(bundle.claims)
    return commit, Proposal("the bundle's patch", tree, bundle.reproduction, claims=claims, problems=problems)


def compare_with_claims(engine: Engine, proposal: Mapping[str, Any], verdict: Verdict) -> tuple[str, Verdict]:
    """Compare the run's proof with the claims that its note `proposal` records. Return the result for the user, and the
    verdict; each difference is a doubt in it."""
    claimed = decode_claims(engine.journal.recall(proposal["claims"]))
    own = claims_of(engine.trajectory, engine.journal.recall)
    problems = map(str, proposal.get("problems", ()))
    differences = (*problems, *find_differences(claimed, replace(own, source=claimed.source)))
    evidence = find_evidence_difference(claimed, own)
    others = (*([evidence] if evidence else []), *find_environment_differences(claimed, own))
    same = "The proof is the same as in the bundle."
    kind = verdict.kind if not differences or verdict.kind == "none" else "unproven"
    facts = (*(Fact("doubt", text) for text in differences), *(Fact("limit", text) for text in others))
    compared = replace(verdict, kind=kind, facts=(*facts, *verdict.facts))
    return "\n".join([*(differences or [same]), *others]), compared


def save_bundle(file: Path, engine: Engine) -> None:
    """Write the bundle of a run that has ended. Raises UsageError."""
    hide = partial(mask_secrets, secrets=engine.secrets)
    write_bundle(file, engine.run, engine.journal, engine.trees, url_of(engine.repository), hide)
