"""Building what is planned: set-up runs once, its failures are mended, tests are tried, and the result is an image."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from aci.daemon import Daemon, trouble
from aci.environments.dated import chooses, date_of, dated, told
from aci.environments.keeping import changes, leave, version
from aci.environments.mending import APT, MOST, Failure, Mend, mend
from aci.environments.outage import outage
from aci.environments.plan import HOME, VENV, Command, Plan, Wishes
from aci.environments.registries import reached, trusting
from aci.environments.room import Done, Room
from aci.environments.trying import Tried, imports_of_tests, tried
from aci.workspace import Options
from trajectories.errors import WorkspaceError

QUIET = {
    "CI": "1",
    "DEBIAN_FRONTEND": "noninteractive",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_INPUT": "1",
    "PIP_PROGRESS_BAR": "off",
    "PIP_ROOT_USER_ACTION": "ignore",
    "PIP_NO_CACHE_DIR": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "npm_config_update_notifier": "false",
    "npm_config_fund": "false",
    "npm_config_cache": "/tmp/npm-cache",
    "LANG": "C.UTF-8",
}
"""What keeps package managers from asking, drawing and caching."""

GIT = Command(
    f"{APT}git ca-certificates || apk add git || dnf -qy install git",
    "the image has no git",
)
OPTIONAL = 1 / 3
"""The part of the time left that a command which may fail may take."""

_EVERY = 15.0
"""Seconds between words on a command that takes long."""


class NetworkFailed(WorkspaceError):
    """Set-up failed because the network did: another run may succeed, and nothing that is made instead is kept."""


class OtherImage(Exception):
    """The image's Python is not one that the repository is for."""


class HoldsRepository(Exception):
    """The image is an instance's own, with the repository at /testbed: it is used as it is."""


@dataclass(frozen=True, slots=True)
class Built:
    """What a build came to: `mends` are sentences, `tests` says what the tests of the base did."""

    mends: tuple[str, ...]
    tests: Tried
    seconds: float
    version: str = ""
    """Of the language."""

    packages: str = ""
    """The day than which none is newer; empty where they are today's."""


@dataclass
class Build:
    """One build of `plan` from `image`, for the files of `options.base`; with `when`, of packages no newer."""

    plan: Plan
    image: str
    options: Options
    wishes: Wishes
    daemon: Daemon
    when: datetime | None = None
    began: float = field(default_factory=time.monotonic)
    mends: list[str] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    """Commands of the set-up, as they ran."""

    def run(self, name: str, labels: Callable[[Built], Mapping[str, str]]) -> Built:
        """Build, and name the image. Where tests of the base fail, or set-up does, older packages are tried once.

        Raises WorkspaceError with the last lines of what cannot be mended, NetworkFailed, OtherImage, HoldsRepository.
        """
        with ExitStack() as rooms:
            build, room, found = self._better(rooms)
            leave(room, self.options)
            day = f"{build.when:%Y-%m-%d}" if build.when else ""
            seconds = time.monotonic() - self.began
            own = build._own(room)
            built = Built(tuple(build.mends), found, seconds, version(room, self.plan.language, own), day)
            room.commit(name, changes(own, labels(built)))
            return built

    def _better(self, rooms: ExitStack) -> tuple[Build, Room, Tried]:
        """The build in which more tests pass: with today's packages, or those of the day of the base's code."""
        failed = None
        try:
            room, found = self._made(rooms)
            if not found.failing:
                return self, room, found
        except NetworkFailed:
            raise
        except WorkspaceError as error:
            if self.plan.instead:
                raise
            failed = error
        older = self._older()
        if older:
            self._say(f"Once more, with packages no newer than the base's code: {older.when:%Y-%m-%d}.")
            try:
                other, came = older._made(rooms)
                if failed or came.better(found):
                    return older, other, came
                self._say("No more tests pass with them: today's are kept.")
            except (WorkspaceError, OtherImage) as error:
                self._say(f"{error} Nothing is gained by them.")
        if failed:
            raise failed
        return self, room, found

    def _older(self) -> Build | None:
        """The same build with packages of that day, if that may change something and time is left for it."""
        late = time.monotonic() - self.began > self.wishes.seconds / 2
        if late or not chooses(self.plan.language, self.ran):
            return None
        when = date_of(self.options, self.plan.language)
        return replace(self, when=when, mends=[], ran=[]) if when else None

    def _made(self, rooms: ExitStack) -> tuple[Room, Tried]:
        """The room that is set up, and what the base's tests do in it."""
        room = rooms.enter_context(Room(self.daemon, self.image, self.options))
        if not room.run("test -e /testbed/.git", {}, 60, where="/").code:
            raise HoldsRepository
        room.put(self.options.trees, self.options.base.tree)
        room.run(f"mkdir -p {HOME}", {}, 60)
        with ExitStack() as network:
            env = self._network(room, network)
            if self.when:
                env |= dated(room, self.when, self.plan.language, env)
            self._set_up(room, env)
            return room, self._try(room, env)

    def _network(self, room: Room, until: ExitStack) -> dict[str, str]:
        """The environment of set-up, with the one way out; none of it is in the image."""
        id, env = str(room.container.id), self.daemon.environment()
        found = dict(QUIET)
        if self.wishes.hosts:
            found |= until.enter_context(reached(id, env, self.wishes.hosts, self._say))
        if self.wishes.certificates:
            found |= trusting(id, env, Path(self.wishes.certificates))
        return {**found, **self.wishes.set_up_environment, **self._own(room)}

    def _own(self, room: Room) -> dict[str, str]:
        """What is in the environment of set-up and sessions."""
        own = {**self.plan.variables}
        if self.plan.paths:
            own["PATH"] = room.path(self.plan.paths)
        if f"{VENV}/bin" in self.plan.paths:
            own["VIRTUAL_ENV"] = VENV
        return own

    def _set_up(self, room: Room, env: Mapping[str, str]) -> None:
        commands = list(self.plan.setup)
        if room.run("command -v git", {}, 60).code:
            commands.insert(0, GIT)
        for number, command in enumerate(commands, 1):
            self._say(f"Set-up {number}/{len(commands)}: {command.text} ({command.why})")
            try:
                self._done(room, command, env)
            except NetworkFailed:
                raise
            except WorkspaceError as error:
                if not command.optional:
                    raise
                self._say(f"{error.message} It is passed over.")

    def _done(self, room: Room, command: Command, env: Mapping[str, str]) -> None:
        """Run a command until it succeeds. Raises WorkspaceError when it cannot be mended."""
        mended: list[str] = []
        end = time.monotonic() + self._left() * (OPTIONAL if command.optional else 1)
        first = done = self._ask(room, command.text, env, end)
        while done.code:
            found = self._mend(done, mended)
            if found is None:
                raise _failed(first, mended)
            mended.append(found.what)
            self._apply(room, found, env, end)
            done = self._ask(room, found.again or done.command, env, end)
        if mended:
            _check_network(done)  # of a list, some lines may have succeeded
        self.mends += mended

    def _mend(self, done: Done, mended: Sequence[str]) -> Mend | None:
        if done.timed_out or len(mended) >= MOST:
            return None
        imports = imports_of_tests(self.options.trees, self.options.base.tree)
        found = mend(Failure(done.command, done.output, self.plan.language, imports), (*self.mends, *mended))
        if found and found.other_image:
            if not self.plan.alternatives:
                return None
            raise OtherImage(found.what)
        return found

    def _apply(self, room: Room, found: Mend, env: Mapping[str, str], end: float) -> None:
        self._say(f"Mending: {found.what}.")
        for command in found.first:
            done = self._ask(room, command, env, end)
            if done.code:
                raise _failed(done, [found.what])

    def _try(self, room: Room, env: Mapping[str, str]) -> Tried:
        """See what the tests do, and mend what they lack; what cannot be mended is told, not raised."""
        own = QUIET | self._own(room)
        mended: list[str] = []
        end = time.monotonic() + self._left()
        found = self._tests(room, own)
        while found.lacking and len(mended) < MOST:
            wanted = self._mend(Done(found.command, 1, found.lacking, 0.0), mended)
            if wanted is None:
                break
            mended.append(wanted.what)
            try:
                self._apply(room, wanted, env, end)
            except NetworkFailed:
                raise
            except WorkspaceError as error:
                self._say(error.message)
                break
            found = self._tests(room, own)
        self.mends += mended
        self._say(f"The base's tests: {found.summary}.")
        return found

    def _tests(self, room: Room, env: Mapping[str, str]) -> Tried:
        """What the tests do in a container of their own, so that nothing they write is in the result."""
        nameless = ""  # so that it goes with the leftovers if this process dies
        draft = room.commit(nameless, changes(self._own(room), {}))
        try:
            with Room(self.daemon, draft, self.options, services=True) as other:
                own = {**env, **other.told}

                def run(command: str, seconds: float) -> Done:
                    return other.run(command, own, min(seconds, self._left()))

                return tried(run, self.plan, self.wishes.test)
        finally:
            with suppress(WorkspaceError), trouble():
                self.daemon.client.images.remove(draft)

    def _left(self) -> float:
        """Seconds of the whole set-up's, over all its images and tries; the last command has at least one."""
        return max(1.0, self.began + self.wishes.seconds - time.monotonic())

    def _ask(self, room: Room, command: str, env: Mapping[str, str], end: float) -> Done:
        """Run a command until `end`. Raises NetworkFailed for one that fails as the network does."""
        began = last = time.monotonic()
        self.ran.append(command)

        def heard(line: str) -> None:
            nonlocal last
            if time.monotonic() - last > _EVERY:
                last = time.monotonic()
                self._say(f"  {last - began:.0f} s: {line.strip()[:160]}")

        dated_command = told(command, self.when) if self.when else command
        done = replace(room.run(dated_command, env, max(1.0, end - began), heard), command=command)
        if done.code:
            _check_network(done)
        return done

    def _say(self, line: str) -> None:
        self.options.say(line)


def _check_network(done: Done) -> None:
    if line := outage(done.output):
        raise NetworkFailed(
            f"The network failed while `{done.command[:200]}` ran: {line[:300]}",
            "Run it again when the network is there: nothing of this set-up is kept.",
        )


def _failed(done: Done, mended: Sequence[str]) -> WorkspaceError:
    why = f"did not end within {done.seconds:.0f} s" if done.timed_out else f"failed with exit code {done.code}"
    also = f" Tried: {'; '.join(mended)}." if mended else ""
    return WorkspaceError(
        f"The set-up command `{done.command[:200]}` {why}.{also} Its last lines:\n{done.last}\n",
        "Name a prepared image with --image, or set-up commands of your own with `setup` in .swe-agent.toml.",
    )
