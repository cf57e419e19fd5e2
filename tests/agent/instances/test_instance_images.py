"""Images of a batch, at the real daemon, from a registry of our own."""

import contextlib
import threading
import uuid
from pathlib import Path

import pytest
from docker.errors import ImageNotFound

from aci.docker.docker_daemon import LABEL, connect
from agent.config.settings import Settings
from agent.instances import instance_images as module
from agent.instances.image_registry import official_image
from agent.instances.instance_images import Images, bytes_of
from agent.instances.jobs import Instance, Job
from tests.agent.instances.image_registry import Registry
from trajectories.errors import Cancelled, UsageError, WorkspaceError
from trajectories.records import Issue

GO = threading.Event()
MB = 1 << 20


def instance(id, image=""):
    return Instance(id, "owner/name", "", Issue("It fails"), image=image)


def job(id, image="", repeat=1):
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
def test_what_official_image_is_called(id, name):
    assert official_image(instance(id)) == name


@pytest.mark.parametrize(("size", "count"), [("", None), ("50g", 50 << 30), ("7K", 7 << 10), ("12", 12)])
def test_sizes(size, count):
    assert bytes_of(size) == count


def test_what_is_no_size_is_told():
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
    """Images of its that a test leaves behind go."""
    with Registry() as registry:
        yield registry
        for image in daemon.client.api.images():
            for tag in image["RepoTags"] or ():
                if tag.startswith(registry.address):
                    daemon.client.api.remove_image(tag, force=True)


class Batch:
    """Images, and what they said."""

    def __init__(self, daemon, folder):
        self.daemon, self.folder, self.said, self.noted = daemon, folder, [], {}

    def __call__(self, limit=None):
        self.images = Images(self.daemon, limit, self.folder / "images.json", self.said.append, self.noted.update)
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
    """So many images; their content is of this call alone."""
    mark = uuid.uuid4().hex
    return [registry.add(f"us/image-{n}", {"file": f"{mark} {n}".encode().ljust(size, b".")}) for n in range(count)]


@pytest.mark.docker
def test_instances_of_image_follow_each_other_and_those_without_come_first(batch):
    jobs = [job("1", "a"), job("2", "b"), job("3", "a"), job("4"), job("x__y-5"), job("6", "b")]
    assert [one.run for one in batch().order(jobs)] == ["4", "1", "3", "2", "6", "x__y-5"]


@pytest.mark.docker
def test_image_is_pulled_once_and_ahead(batch, registry):
    (name,) = publish(registry, 1)
    images = batch()
    jobs = images.order([job("1", name), job("2", name)])
    images.ahead(jobs[0])
    for one in jobs:
        assert images.need(one, GO).settings.image == name
        images.release(one.run)
    assert registry.pulled == ["us/image-0"]
    assert batch.has(name)
    assert batch.noted[name].startswith("sha256:")


@pytest.mark.slow
@pytest.mark.docker
def test_after_its_last_instance_image_goes_where_limit_is_passed(batch, registry):
    names = publish(registry, 4)
    images = batch(limit=2 * MB + MB // 2)
    jobs = images.order([job(f"{at}{name[-8]}", name) for at in range(2) for name in names])
    here = []
    for one in jobs:
        images.need(one, GO)
        assert batch.has(one.settings.image)
        images.release(one.run)
        here.append([batch.has(name) for name in names])
    assert here[3] == [True, True, False, False], "two are within the limit"
    assert here[4] == [False, True, True, False], "the oldest went although the third is still needed"
    assert here[7] == [False, False, True, True]
    assert len(registry.pulled) == 4


@pytest.mark.slow
@pytest.mark.docker
def test_what_was_here_before_what_is_needed_still_and_what_container_uses_stays(batch, registry):
    before, needed, used, spare = publish(registry, 4)
    batch.daemon.client.images.pull(before)
    images = batch(limit=0)
    jobs = images.order([job("1", before), job("2", needed), job("3", needed), job("4", used), job("5", spare)])
    first, second, _, fourth, fifth = [images.need(one, GO) for one in jobs]
    container = batch.daemon.client.containers.create(used, ["none"], labels={LABEL: "1"})
    try:
        for one in (first, second, fourth, fifth):
            images.release(one.run)
        assert [batch.has(name) for name in (before, needed, used, spare)] == [True, True, True, False]
    finally:
        container.remove(force=True)


@pytest.mark.docker
def test_image_that_only_repository_names_stays_until_its_instances_are_done(batch, registry):
    rows, own = publish(registry, 2)
    images = batch(limit=0)
    first, second, third = images.order([job("1", rows), job("2", rows), job("3", rows)])
    images.need(first, GO)
    images.need(job("2", own), GO)
    images.release(first.run)
    assert batch.has(own)
    images.release(second.run)
    assert [batch.has(rows), batch.has(own)] == [True, False]
    images.release(third.run)
    assert not batch.has(rows)


@pytest.mark.docker
def test_with_image_goes_what_we_made_of_it(batch, registry):
    (name,) = publish(registry, 1)
    images = batch(limit=0)
    (one,) = images.order([job("1", name)])
    images.need(one, GO)
    container = batch.daemon.client.containers.create(name, ["none"], labels={LABEL: "1"})
    base = container.commit(repository=f"swe-agent-test-{uuid.uuid4().hex[:8]}", tag="latest")
    container.remove()
    images.release(one.run)
    assert not batch.has(base.id)
    assert not batch.has(name)


@pytest.mark.docker
def test_batch_that_goes_on_knows_which_images_it_pulled(batch, registry):
    (name,) = publish(registry, 1)
    images = batch(limit=0)
    jobs = images.order([job("1", name), job("2", name)])
    images.need(jobs[0], GO)
    images.close()
    again = batch(limit=0)
    (left,) = again.order(jobs[1:])
    again.need(left, GO)
    again.release(left.run)
    assert not batch.has(name)


@pytest.mark.docker
def test_image_that_is_gone_midway_is_pulled_again(batch, registry):
    (name,) = publish(registry, 1)
    images = batch()
    (one,) = images.order([job("1", name)])
    images.need(one, GO)
    batch.daemon.client.api.remove_image(name)
    images.need(one, GO)
    assert batch.has(name)


@pytest.mark.docker
def test_image_that_row_names_and_nobody_has_is_told_and_tried_again(batch, registry):
    images = batch()
    name = f"{registry.address}/us/image-0:latest"
    (one,) = images.order([job("1", name)])
    with pytest.raises(WorkspaceError, match="does not exist locally and cannot be pulled"):
        images.need(one, GO)
    publish(registry, 1)
    assert images.need(one, GO).settings.image == name


@pytest.mark.docker
def test_official_images_that_registry_lacks_leave_it_to_builder(batch, registry, monkeypatch):
    monkeypatch.setattr(module, "official_image", lambda instance: f"{registry.address}/{instance.id}:latest")
    registry.add("x__y-2", {"file": b"two"})
    images = batch()
    jobs = images.order([job("x__y-1"), job("x__y-2"), job("x__y-3")])
    assert [images.need(one, GO).settings.image.rpartition("/")[2] for one in jobs] == ["", "x__y-2:latest", ""]


@pytest.mark.docker
def test_registry_that_does_not_answer_is_asked_once_batch_and_told_once(batch, registry, monkeypatch):
    monkeypatch.setattr(module, "official_image", lambda instance: f"127.0.0.1:9/{instance.id}:latest")
    images = batch()
    jobs = images.order([job(f"x__y-{at}") for at in range(5)])
    assert [images.need(one, GO).settings.image for one in jobs] == [""] * 5
    assert len([line for line in batch.said if "cannot be pulled" in line]) == 1
    assert len([line for line in batch.said if line.startswith("Pulling")]) == 1


@pytest.mark.docker
@pytest.mark.parametrize(
    ("before", "refusal", "said"), [(0, (429, "TOOMANYREQUESTS"), "toomanyrequests"), (1, (500, "UNKNOWN"), "500")]
)
def test_registry_that_answers_and_then_fails_is_trouble_and_no_reason_to_build(
    batch, registry, monkeypatch, before, refusal, said
):
    monkeypatch.setattr(module, "official_image", lambda instance: f"{registry.address}/{instance.id}:latest")
    registry.add("x__y-1", {"file": b"one"})
    registry.add("x__y-2", {"file": uuid.uuid4().bytes})
    images = batch()
    jobs = images.order([job("x__y-1"), job("x__y-2")])
    for one in jobs[:before]:
        images.need(one, GO)
    registry.refuses = refusal
    with pytest.raises(WorkspaceError, match=f"(?i){said}"):
        images.need(jobs[1], GO)
    registry.refuses = None
    assert images.need(jobs[1], GO).settings.image.endswith("x__y-2:latest")


@pytest.mark.docker
def test_wait_for_pull_heeds_interrupt(batch, registry, monkeypatch):
    go = threading.Event()
    monkeypatch.setattr(registry, "answer", lambda path: go.wait(600) and None)
    images = batch()
    (one,) = images.order([job("1", f"{registry.address}/us/image-0:latest")])
    stopped = threading.Event()
    threading.Timer(0.3, stopped.set).start()
    with pytest.raises(Cancelled):
        images.need(one, stopped)
    go.set()
    with contextlib.suppress(WorkspaceError):
        images.need(one, GO)


@pytest.mark.docker
def test_what_fails_as_image_is_removed_is_no_trouble_of_instance(daemon, registry, tmp_path):
    (name,) = publish(registry, 1)
    (tmp_path / "out").mkdir()
    batch = Batch(daemon, tmp_path / "out")
    images = batch(limit=0)
    (one,) = images.order([job("1", name)])
    images.need(one, GO)
    (tmp_path / "out").rename(tmp_path / "gone")
    images.release(one.run)
    assert not batch.has(name)
    images.close()
