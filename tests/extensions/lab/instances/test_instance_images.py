"""Images of a batch, with the real Docker daemon and a local registry."""

import contextlib
import threading
import uuid
from pathlib import Path

import pytest
from docker.errors import ImageNotFound

from aci.docker.docker_daemon import LABEL, connect
from aci.observation.activity_message import ActivityMessage
from agent.config.settings import Settings
from extensions.lab.instances import instance_images as module
from extensions.lab.instances.image_registry import official_image
from extensions.lab.instances.instance_images import Images, bytes_of
from extensions.lab.instances.jobs import Instance, Job
from tests.extensions.lab.instances.image_registry import Registry
from trajectories.errors import Cancelled, UsageError, WorkspaceError
from trajectories.records import Issue

GO = threading.Event()
MB = 1 << 20


def instance(id, image=""):
    return Instance(id, "owner/name", "", Issue("It fails"), image=image)


def make_job(id, image="", repeat=1):
    return Job(instance(id), repeat, Path(), Settings(image=image))


@pytest.mark.parametrize(
    ("id", "name"),
    [
        ("django__django-11099", "swebench/sweb.eval.x86_64.django_1776_django-11099:latest"),
        ("Qiskit__qiskit-1", "swebench/sweb.eval.x86_64.qiskit_1776_qiskit-1:latest"),
        ("my-bug", ""),
        ("a__b", ""),
    ],
)
def test_official_image_name_is_derived_from_id(id, name):
    assert official_image(instance(id)) == name


@pytest.mark.parametrize(("size", "count"), [("", None), ("50g", 50 << 30), ("7K", 7 << 10), ("12", 12)])
def test_size_is_converted_to_bytes(size, count):
    assert bytes_of(size) == count


def test_invalid_size_is_rejected():
    with pytest.raises(UsageError, match="'much' is not a size"):
        bytes_of("much")


@pytest.fixture
def daemon():
    if not __import__("shutil").which("docker"):
        pytest.skip("no docker")
    daemon = connect()
    yield daemon
    daemon.rest()


@pytest.fixture
def registry(daemon):
    """A registry; images that a test pulled from it are removed."""
    with Registry() as registry:
        yield registry
        for image in daemon.client.api.images():
            for tag in image["RepoTags"] or ():
                if tag.startswith(registry.address):
                    daemon.client.api.remove_image(tag, force=True)


class Batch:
    """Images and their messages."""

    def __init__(self, daemon, folder):
        self.daemon, self.folder, self.messages, self.digests = daemon, folder, [], {}

    def __call__(self, limit=None):
        self.images = Images(self.daemon, limit, self.folder / "images.json", self.messages.append, self.digests.update)
        return self.images

    def has(self, name):
        try:
            return bool(self.daemon.client.images.get(name))
        except ImageNotFound:
            return False


@pytest.fixture
def batch(daemon, tmp_path):
    batch = Batch(daemon, tmp_path)
    yield batch
    batch.images.close()


def publish(registry, count, size=MB):
    """Publish `count` unique images."""
    mark = uuid.uuid4().hex
    return [registry.add(f"us/image-{n}", {"file": f"{mark} {n}".encode().ljust(size, b".")}) for n in range(count)]


@pytest.mark.docker
def test_jobs_are_grouped_by_image_and_those_without_come_first(batch):
    jobs = [
        make_job("1", "a"),
        make_job("2", "b"),
        make_job("3", "a"),
        make_job("4"),
        make_job("x__y-5"),
        make_job("6", "b"),
    ]
    assert [job.run for job in batch().order(jobs)] == ["4", "1", "3", "2", "6", "x__y-5"]


@pytest.mark.docker
def test_image_is_pulled_once_in_advance(batch, registry):
    (name,) = publish(registry, 1)
    images = batch()
    jobs = images.order([make_job("1", name), make_job("2", name)])
    images.ahead(jobs[0])
    for job in jobs:
        assert images.need(job, GO).settings.image == name
        images.release(job.run)
    assert registry.pulled == ["us/image-0"]
    assert batch.has(name)
    assert batch.digests[name].startswith("sha256:")


@pytest.mark.slow
@pytest.mark.docker
def test_image_over_limit_is_removed_after_last_instance(batch, registry):
    names = publish(registry, 4)
    images = batch(limit=2 * MB + MB // 2)
    jobs = images.order([make_job(f"{at}{name[-8]}", name) for at in range(2) for name in names])
    present = []
    for job in jobs:
        images.need(job, GO)
        assert batch.has(job.settings.image)
        images.release(job.run)
        present.append([batch.has(name) for name in names])
    assert present[3] == [True, True, False, False], "two are within the limit"
    assert present[4] == [False, True, True, False], "the oldest is removed although the third is still needed"
    assert present[7] == [False, False, True, True]
    assert len(registry.pulled) == 4


@pytest.mark.slow
@pytest.mark.docker
def test_preexisting_needed_and_used_images_stay(batch, registry):
    before, needed, used, spare = publish(registry, 4)
    batch.daemon.client.images.pull(before)
    images = batch(limit=0)
    jobs = images.order(
        [make_job("1", before), make_job("2", needed), make_job("3", needed), make_job("4", used), make_job("5", spare)]
    )
    first, second, _, fourth, fifth = [images.need(job, GO) for job in jobs]
    container = batch.daemon.client.containers.create(used, ["none"], labels={LABEL: "1"})
    try:
        for job in (first, second, fourth, fifth):
            images.release(job.run)
        assert [batch.has(name) for name in (before, needed, used, spare)] == [True, True, True, False]
    finally:
        container.remove(force=True)


@pytest.mark.slow
@pytest.mark.docker
def test_replaced_image_stays_until_all_instances_are_done(batch, registry):
    rows, own = publish(registry, 2)
    images = batch(limit=0)
    first, second, third = images.order([make_job("1", rows), make_job("2", rows), make_job("3", rows)])
    images.need(first, GO)
    images.need(make_job("2", own), GO)
    images.release(first.run)
    assert batch.has(own)
    images.release(second.run)
    assert [batch.has(rows), batch.has(own)] == [True, False]
    images.release(third.run)
    assert not batch.has(rows)


@pytest.mark.slow
@pytest.mark.docker
def test_derived_images_are_removed_with_image(batch, registry):
    (name,) = publish(registry, 1)
    images = batch(limit=0)
    (job,) = images.order([make_job("1", name)])
    images.need(job, GO)
    container = batch.daemon.client.containers.create(name, ["none"], labels={LABEL: "1"})
    base = container.commit(repository=f"swe-agent-test-{uuid.uuid4().hex[:8]}", tag="latest")
    container.remove()
    images.release(job.run)
    assert not batch.has(base.id)
    assert not batch.has(name)


@pytest.mark.docker
def test_resumed_batch_removes_images_it_pulled(batch, registry):
    (name,) = publish(registry, 1)
    images = batch(limit=0)
    jobs = images.order([make_job("1", name), make_job("2", name)])
    images.need(jobs[0], GO)
    images.close()
    again = batch(limit=0)
    (left,) = again.order(jobs[1:])
    again.need(left, GO)
    again.release(left.run)
    assert not batch.has(name)


@pytest.mark.docker
def test_image_removed_midway_is_pulled_again(batch, registry):
    (name,) = publish(registry, 1)
    images = batch()
    (job,) = images.order([make_job("1", name)])
    images.need(job, GO)
    batch.daemon.client.api.remove_image(name)
    images.need(job, GO)
    assert batch.has(name)


@pytest.mark.docker
def test_missing_named_image_is_reported_and_retried(batch, registry):
    images = batch()
    name = f"{registry.address}/us/image-0:latest"
    (job,) = images.order([make_job("1", name)])
    with pytest.raises(WorkspaceError, match="does not exist locally and cannot be pulled"):
        images.need(job, GO)
    publish(registry, 1)
    assert images.need(job, GO).settings.image == name


@pytest.mark.docker
def test_official_image_missing_in_registry_is_built(batch, registry, monkeypatch):
    monkeypatch.setattr(module, "official_image", lambda instance: f"{registry.address}/{instance.id}:latest")
    registry.add("x__y-2", {"file": b"two"})
    images = batch()
    jobs = images.order([make_job("x__y-1"), make_job("x__y-2"), make_job("x__y-3")])
    assert [images.need(job, GO).settings.image.rpartition("/")[2] for job in jobs] == ["", "x__y-2:latest", ""]


@pytest.mark.docker
def test_unreachable_registry_is_tried_and_reported_once(batch, registry, monkeypatch):
    monkeypatch.setattr(module, "official_image", lambda instance: f"127.0.0.1:9/{instance.id}:latest")
    images = batch()
    jobs = images.order([make_job(f"x__y-{at}") for at in range(5)])
    assert [images.need(job, GO).settings.image for job in jobs] == [""] * 5
    assert len([line for line in batch.messages if "cannot be pulled" in line]) == 1
    assert [type(line) for line in batch.messages if line.startswith("Pulling")] == [ActivityMessage]


@pytest.mark.docker
@pytest.mark.parametrize(
    ("before", "refusal", "message"), [(0, (429, "TOOMANYREQUESTS"), "toomanyrequests"), (1, (500, "UNKNOWN"), "500")]
)
def test_registry_failure_is_raised_instead_of_building(batch, registry, monkeypatch, before, refusal, message):
    monkeypatch.setattr(module, "official_image", lambda instance: f"{registry.address}/{instance.id}:latest")
    registry.add("x__y-1", {"file": b"one"})
    registry.add("x__y-2", {"file": uuid.uuid4().bytes})
    images = batch()
    jobs = images.order([make_job("x__y-1"), make_job("x__y-2")])
    for job in jobs[:before]:
        images.need(job, GO)
    registry.refuses = refusal
    with pytest.raises(WorkspaceError, match=f"(?i){message}"):
        images.need(jobs[1], GO)
    registry.refuses = None
    assert images.need(jobs[1], GO).settings.image.endswith("x__y-2:latest")


@pytest.mark.docker
def test_pull_can_be_interrupted(batch, registry, monkeypatch):
    go = threading.Event()
    monkeypatch.setattr(registry, "answer", lambda path: go.wait(600) and None)
    images = batch()
    (job,) = images.order([make_job("1", f"{registry.address}/us/image-0:latest")])
    stopped = threading.Event()
    threading.Timer(0.3, stopped.set).start()
    with pytest.raises(Cancelled):
        images.need(job, stopped)
    go.set()
    with contextlib.suppress(WorkspaceError):
        images.need(job, GO)


@pytest.mark.docker
def test_failed_bookkeeping_on_removal_is_not_raised(daemon, registry, tmp_path):
    (name,) = publish(registry, 1)
    (tmp_path / "out").mkdir()
    batch = Batch(daemon, tmp_path / "out")
    images = batch(limit=0)
    (job,) = images.order([make_job("1", name)])
    images.need(job, GO)
    (tmp_path / "out").rename(tmp_path / "gone")
    images.release(job.run)
    assert not batch.has(name)
    images.close()
