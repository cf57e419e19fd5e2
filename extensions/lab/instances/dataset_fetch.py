"""Data sets by their names: fetched once from the Hugging Face hub, checked against a digest, and kept.

A file that was fetched is used without the network. Its SHA-256 is compared at each use: with the one in
`named_datasets.py`, or if none is known there, with the one that was recorded when the file was fetched. The hub states
a digest for each large file of a revision; both must agree with the content.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.config.settings import load_settings
from agent.installation import extra_advice
from agent.run_state.terminal_question import at_terminal, confirm
from extensions.lab.instances.append_log import write_error
from extensions.lab.instances.named_datasets import DATASETS, NamedDataset
from trajectories.errors import ConfigError, TryLater, UsageError
from trajectories.file_limits import open_regular, read_limited
from trajectories.journal import write_durably

if TYPE_CHECKING:
    from huggingface_hub import HfFileMetadata

DIGESTS = "digests.json"
"""The file with the digests of what was fetched, beside the data."""
MEGABYTE = 1_000_000
LARGE_DATA = 100 * MEGABYTE
"""From this size in bytes, a user at a terminal is asked before data is fetched."""
IMAGE_BYTES = 440 * MEGABYTE
"""Disk space of an instance's image: SWE-bench Verified's 500 images need 206 GiB, with shared layers counted once
(github.com/logic-star-ai/swe-bench-compressed)."""
LARGE_IMAGES = 20_000 * MEGABYTE
"""From this size in bytes, a user at a terminal is asked before images are pulled."""
SHA256 = re.compile(r"[0-9a-f]{64}")


def dataset_files(given: Sequence[str], yes: bool = False) -> tuple[Path, ...]:
    """Return the paths of the files, where a name of `named_datasets.py` stands for its file, fetched if necessary.

    Progress messages are written to stderr. With `yes`, all questions are answered with yes. Raises UsageError for
    something that is neither a name nor a file, and for data that is not the pinned data; ConfigError if the client of
    the hub is not installed or a token is missing; TryLater if the hub does not answer.
    """
    return tuple(_file(name, yes) for name in given)


def confirm_images(count: int, yes: bool = False) -> None:
    """Report the estimated size of the images of `count` instances, and at a terminal ask whether to pull a large
    amount. Raises UsageError if the answer is no."""
    size = count * IMAGE_BYTES
    text = f"The images of {count} instances need roughly {size / 1e9:.0f} GB of disk space, if they must be pulled."
    if size >= LARGE_IMAGES and at_terminal() and not yes:
        if not confirm(text):
            raise UsageError("Nothing was pulled.", "Select fewer instances.")
    else:
        _say(text)


def _file(name: str, yes: bool) -> Path:
    dataset, path = DATASETS.get(name), Path(name)
    if dataset is None:
        if not path.exists() and re.fullmatch(r"[\w-]+", name):
            fix = f"Give a file with instances, or one of: {', '.join(DATASETS)}."
            raise UsageError(f"{name} is neither a file nor the name of a data set.", fix)
        return path
    if path.exists():
        _say(f"{name} is the public data set; the file or folder of that name is ./{name}.")
    folder = load_settings().state / "datasets" / f"{name}-{dataset.revision[:12]}"
    target = folder / dataset.path
    expected = dataset.sha256 or _recorded(folder)
    if not (expected and target.exists()):
        expected = _fetch(name, dataset, folder, yes)
    if (digest := _digest(target)) != expected:
        what = f"{target} is not the pinned data set {name}: its SHA-256 is {digest}, not {expected}."
        raise UsageError(what, f"Remove {folder}, then run the command again to fetch it.")
    return target


def _recorded(folder: Path) -> str:
    """Return the digest that was recorded when a file without a known digest was fetched; "" if there is none."""
    try:
        found = json.loads(read_limited(folder / DIGESTS))["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return found if isinstance(found, str) and SHA256.fullmatch(found) else ""


def _digest(path: Path) -> str:
    try:
        with open_regular(path) as file:
            digest = hashlib.sha256()
            while block := file.read(MEGABYTE):
                digest.update(block)
            return digest.hexdigest()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", "Remove it to fetch it again.") from None


def _fetch(name: str, dataset: NamedDataset, folder: Path, yes: bool) -> str:
    """Fetch the file of a data set, record its digest and return it; the caller compares it with the content."""
    try:
        import httpx
        from huggingface_hub import errors, get_hf_file_metadata, hf_hub_download, hf_hub_url
        from huggingface_hub.utils.tqdm import disable_progress_bars
    except ImportError:
        what = f"The data set {name} is fetched with huggingface_hub, which is not installed."
        raise ConfigError(what, extra_advice("datasets")) from None
    place: dict[str, Any] = {"repo_type": "dataset", "revision": dataset.revision}
    place["endpoint"] = os.environ.get("HF_ENDPOINT", "").rstrip("/") or None
    url = hf_hub_url(dataset.repository, dataset.path, **place)
    try:
        token: str | bool = False
        try:
            stated = get_hf_file_metadata(url, token=token)
        except errors.GatedRepoError:
            token = _allowed_token(name, dataset, url, yes)
            stated = get_hf_file_metadata(url, token=token)
        digest = _checked(name, dataset, stated)
        _confirm_size(name, dataset, stated.size or dataset.size, yes)
        disable_progress_bars()
        hf_hub_download(dataset.repository, dataset.path, token=token, local_dir=folder, **place)
        write_durably(folder / DIGESTS, json.dumps({"sha256": digest, "file": dataset.path}).encode() + b"\n")
    except errors.GatedRepoError:
        what = f"The hub refuses your token for {dataset.repository}, whose terms you must accept."
        raise ConfigError(what, f"Accept them at {_page(dataset, url)}.") from None
    except errors.LocalEntryNotFoundError as error:  # the connection failed, or the answer was not the hub's
        raise _unreachable(name, error) from None
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.EntryNotFoundError):
        what = f"The hub has no {dataset.path} at revision {dataset.revision} of {dataset.repository}."
        raise UsageError(what, "Download the data set yourself, and give its file.") from None
    except (errors.HfHubHTTPError, errors.OfflineModeIsEnabled, httpx.HTTPError, ConnectionError) as error:
        raise _unreachable(name, error) from None
    except OSError as error:
        raise write_error(folder, error) from error
    return digest


def _unreachable(name: str, error: Exception) -> TryLater:
    what = f"The data set {name} was not fetched yet, and the hub does not answer: {_reason(error)}."
    return TryLater(what, "Try again with a network, or give a file.")


def _checked(name: str, dataset: NamedDataset, stated: HfFileMetadata) -> str:
    """Return the digest that the content must have. Raises UsageError if the hub states another revision or digest, or
    if no digest is known at all."""
    fix = "Download the data set yourself, and give its file."
    if stated.commit_hash != dataset.revision:
        what = f"The hub answers with revision {stated.commit_hash} of {name}, not with {dataset.revision}."
        raise UsageError(what, fix)
    digest = stated.etag if stated.etag and SHA256.fullmatch(stated.etag) else ""
    if dataset.sha256 and digest not in ("", dataset.sha256):
        what = f"The hub states the SHA-256 {digest} for the data set {name}, not {dataset.sha256}."
        raise UsageError(what, fix)
    if not dataset.sha256 and not digest:
        raise UsageError(f"The hub states no SHA-256 for the data set {name}, and none is known.", fix)
    return dataset.sha256 or digest


def _allowed_token(name: str, dataset: NamedDataset, url: str, yes: bool) -> str:
    """Return the user's token for the hub, after a yes. Raises ConfigError without a token, UsageError without a
    yes."""
    from huggingface_hub import get_token

    host = url.split("/datasets/")[0]
    if not (token := get_token()):
        fix = f"Accept its terms at {_page(dataset, url)}, then set HF_TOKEN."
        raise ConfigError(f"The data set {name} is gated: the hub gives it only to users who accepted its terms.", fix)
    if not yes and not confirm(f"The data set {name} is gated.", f"Send your token to {host}?"):
        raise UsageError(f"The data set {name} is gated, and your token is not sent to {host} unasked.", "Give --yes.")
    return token


def _confirm_size(name: str, dataset: NamedDataset, size: int, yes: bool) -> None:
    shown = f"{size / MEGABYTE:.1f} MB" if size else "of unknown size"
    text = f"Fetching the data set {name} ({dataset.repository}, revision {dataset.revision[:12]}), {shown}."
    if size >= LARGE_DATA and at_terminal() and not yes and not confirm(text):
        raise UsageError("Nothing was fetched.", "Give --yes, or a file.")
    _say(text)


def _say(text: str) -> None:
    import typer

    typer.echo(text, err=True)


def _page(dataset: NamedDataset, url: str) -> str:
    return f"{url.split('/datasets/')[0]}/datasets/{dataset.repository}"


def _reason(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return "HF_HUB_OFFLINE is set" if "offline mode" in text else text.splitlines()[0].rstrip(".")
