"""The prompts of a strategy: its own text files, and the user's in place of them."""

from __future__ import annotations

import sys
from hashlib import sha256
from pathlib import Path

from agent.conversation.model_roles import roles_of
from trajectories.errors import UsageError
from trajectories.plugins import find

STRATEGIES = Path(__file__).parents[1] / "strategies"


def load_prompts(strategy: str, own: Path | None = None) -> dict[str, str]:
    """Return the strategy's prompts by name; a role's prompt is its system prompt.

    The prompts are the text files `<strategy>.<name>.txt` next to the strategy's module. If the strategy lists other
    strategies, including built-in ones, in `PROMPTS`, their prompts are used instead; later ones override earlier ones.
    A file of the same name in the folder `own` replaces a prompt.

    Raises UsageError for bad files, and what the strategy's own `check_prompts(prompts, roles)` raises, if it has one.
    """
    module = sys.modules[find("agent.strategies", strategy, "solve", "strategy").__module__]
    file = Path(module.__file__ or "")
    stems = getattr(module, "PROMPTS", file.stem)
    stems = [stems] if isinstance(stems, str) else stems
    folders = dict.fromkeys([STRATEGIES, file.parent])
    found = [each for stem in stems for folder in folders for each in folder.glob(f"{stem}.*.txt")]
    files = {each.name: each for each in {_prompt_name(each.name): each for each in found}.values()}
    if own is not None:
        files |= _own_prompts(own, set(files))
    try:
        prompts = {_prompt_name(name): file.read_text("utf-8").strip() for name, file in files.items()}
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"A prompt cannot be read: {error}.", "Fix the file.") from None
    if check := getattr(module, "check_prompts", None):
        check(prompts, roles_of(strategy))
    return prompts


def _prompt_name(file: str) -> str:
    """Return the name of the prompt in a file `<strategy>.<name>.txt`."""
    return file.partition(".")[2].removesuffix(".txt")


def _own_prompts(folder: Path, known: set[str]) -> dict[str, Path]:
    """Return the user's prompts for this strategy. Raises UsageError for a file that looks like a prompt but overrides
    none."""
    if not folder.is_dir():
        raise UsageError(f"There is no folder {folder} with prompts.", "Name a folder with --prompts.")
    files = {file.name: file for file in folder.glob("*.txt")}
    stems = {name.partition(".")[0] for name in known}
    if unknown := sorted(name for name in files.keys() - known if name.partition(".")[0] in stems):
        raise UsageError(
            f"{folder / unknown[0]} overrides no prompt.", f"The strategy's prompts are {', '.join(sorted(known))}."
        )
    return {name: file for name, file in files.items() if name in known}


def prompt_hashes(prompts: dict[str, str]) -> dict[str, str]:
    """Return hashes of the prompts, which show whether two runs used the same prompts."""
    return {f"prompt {name}": sha256(text.encode()).hexdigest()[:16] for name, text in prompts.items()}
