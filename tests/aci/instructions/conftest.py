"""Instruction files of a tree that is given as a mapping."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from aci.instructions.instruction_files import Instructions
from trajectories.git_store.object_reader import Entry

MakeInstructions = Callable[..., Instructions]


class Reads(list[str]):
    """The paths that were read."""


@pytest.fixture
def reads() -> Reads:
    return Reads()


@pytest.fixture
def make_instructions(reads: Reads) -> MakeInstructions:
    """`make_instructions(files, links={path: target})`; reads are listed in `reads`."""

    def make(files: Mapping[str, str | bytes], links: Mapping[str, str] | None = None) -> Instructions:
        data = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
        entries = {path: Entry("100644", path, len(one)) for path, one in data.items()}
        entries |= {path: Entry("120000", path, len(target)) for path, target in (links or {}).items()}

        def read(id: str) -> bytes:
            reads.append(id)
            return data[id]

        return Instructions(entries, read)

    return make
