"""An evidence bundle as the input of `swe-agent prove --check`, and as its output."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from aci.history.repository_identity import normalise_url
from aci.observation.output_text import mask_secrets
from aci.observation.untrusted_text import one_line
from aci.repository.proposed_patch import tree_of_diff
from agent.evidence.proof_bundle import REMAKE, Bundle, source_of, write_bundle
from agent.evidence.proof_claims import encode_claims, find_differences
from agent.run_state.proposed_tree import Proposal
from trajectories.errors import UsageError
from trajectories.git_store.trees import Trees

if TYPE_CHECKING:
    from aci.repository.user_repository import Repository
    from agent.engine.engine import Engine


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


def save_bundle(file: Path, engine: Engine) -> None:
    """Write the bundle of a run that has ended. Raises UsageError."""
    hide = partial(mask_secrets, secrets=engine.secrets)
    write_bundle(file, engine.run, engine.journal, engine.trees, url_of(engine.repository), hide)


def url_of(source: Repository) -> str:
    """Return where the repository comes from, such as `github.com/owner/name`; "" for a folder."""
    url = source.configured("remote.origin.url")
    return normalise_url(url) if "://" in url or re.match(r"[\w.-]+@[\w.-]+:", url) else ""
