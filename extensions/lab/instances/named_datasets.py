"""The public data sets that `--instances` and `--set` know by a name, each at one revision of the Hugging Face hub.

A revision fixes all files of a repository, including the SHA-256 of each large file. Revisions, digests and sizes were
collected from public code that pins the same files; none has been compared with the hub yet (docs/batch.md). A digest
that was not found is "": it is recorded when the file is fetched (`dataset_fetch.py`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NamedDataset:
    """One file of a repository on the hub. All known sets are in one file."""

    repository: str
    revision: str
    """A commit, as 40 hexadecimal digits."""

    split: str
    instances: int
    sha256: str = ""
    """The digest of the file; "" if it is not known."""

    size: int = 0
    """The size of the file in bytes; 0 if it is not known."""

    leaderboard: str = ""
    """The folder of the set below `evaluation/` in the repository `SWE-bench/experiments`; "" if it has none."""

    @property
    def path(self) -> str:
        """The path of the file in the repository."""
        return f"data/{self.split}-00000-of-00001.parquet"


DATASETS = {
    "verified": NamedDataset(
        "SWE-bench/SWE-bench_Verified",
        "78f471bf655a3137b2e8a75af1501690ec009ec3",
        "test",
        500,
        "030cfd7f2a704c4c0226e7f104c725a3b41230b1d3517f9c915ad7ea5be3fa25",
        6_304_616,
        "verified",
    ),
    "lite": NamedDataset(
        "SWE-bench/SWE-bench_Lite",
        "b0dde1093fe417d83b7184254edf8199c1f0dff5",
        "test",
        300,
        "438e281d80587aa7be470896ce410557002fde02d2ceee3e099331d308f62dd3",
        leaderboard="lite",
    ),
    "full": NamedDataset(
        "SWE-bench/SWE-bench",
        "c6fe717fd7a4c3ac1daa4055a4fd082c6a1d28a2",
        "test",
        2294,
        "d4f5a245c75319fa8240c540674958c4d491e82edf274b144d43836bdcbc4567",
        33_293_897,
        "test",
    ),
    "multilingual": NamedDataset(
        "SWE-bench/SWE-bench_Multilingual",
        "846e647b9f33c0b51b739d005d13d85493c9af09",
        "test",
        300,
        "92abca7cb527b41a9f66d03a26ce441ff7319e3a49f985998fd56be4bb9b08b2",
        leaderboard="multilingual",
    ),
    # The tests of its split `test` are not published.
    "multimodal": NamedDataset(
        "SWE-bench/SWE-bench_Multimodal",
        "4e6662d51c48e475f7f346e4fa09a6f8b31fcaa5",
        "dev",
        100,
        leaderboard="multimodal",
    ),
    # Its splits `verified` and `full` have an id twice.
    "live": NamedDataset(
        "SWE-bench-Live/SWE-bench-Live",
        "b51a86422e10cfd403beb4773e5a2947953e36ec",
        "lite",
        300,
        "7ee0a75c41bfc954fd441b67ce738fc5c1cbae00721c4e30e7db4d893057c9ab",
        14_442_471,
    ),
    # The first version, of 731 instances: later revisions replace it with a second one.
    "pro": NamedDataset(
        "ScaleAI/SWE-bench_Pro",
        "7ab5114912baf22bb098818e604c02fe7ad2c11f",
        "test",
        731,
        "c8cd7115496ad4e9a8b21d088cef576a65bf821bb542b24336f13f714cef13f8",
        7_816_820,
    ),
    "rebench": NamedDataset("nebius/SWE-rebench", "89cdfbab4ab1bd8f5a658bb212d1b63624f4f881", "filtered", 6542),
}
