"""Skills of a repository: the names and descriptions in the front matter of `SKILL.md` files.

The format is that of agentskills.io. Only names and descriptions are read here; a model reads the body of a skill as it
reads any other file. Fields such as `allowed-tools` have no effect.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aci.instructions.front_matter import read_fields, split_front_matter
from aci.instructions.instruction_files import Instructions
from aci.observation.untrusted_text import one_line

MOST_SKILLS, MOST_READ = 20, 40
LONGEST_NAME, LONGEST_DESCRIPTION = 64, 300


@dataclass(frozen=True, slots=True)
class Skill:
    name: str
    description: str
    path: str


def list_skills(instructions: Instructions, near: Iterable[str] = ()) -> list[Skill]:
    """Return the skills of the root, then those of folders that hold one of the paths `near`; a name only once."""
    near, found = list(near), dict[str, Skill]()
    chosen = [path for path in instructions.skills if _applies(path, near)]
    for path in chosen[:MOST_READ]:
        skill = _read_skill(path, instructions.read_blob(instructions.files[path].id))
        found.setdefault(skill.name, skill)
    return list(found.values())[:MOST_SKILLS]


def _applies(path: str, near: list[str]) -> bool:
    folder = path.rpartition("/.")[0]  # the folder of `.agents` or `.claude`
    return not folder or any(other.startswith(f"{folder}/") for other in near)


def _read_skill(path: str, data: bytes) -> Skill:
    fields = read_fields(split_front_matter(data.decode("utf-8", "replace"))[0])
    name = one_line(fields.get("name", ""))[:LONGEST_NAME] or path.split("/")[-2]
    description = one_line(fields.get("description", ""))
    if len(description) > LONGEST_DESCRIPTION:
        description = f"{description[:LONGEST_DESCRIPTION]}…"
    return Skill(name, description, path)
