"""Plans and how they are written: ``name: days after other, another``."""

import re
from dataclasses import dataclass

LINE = re.compile(r"(?P<name>[^:]+):\s*(?P<days>\d+)(?:\s+after\s+(?P<after>.+))?")


class BadPlan(ValueError):
    """The text is not a plan: a line that cannot be read, a name given twice or not at all."""


@dataclass(frozen=True)
class Task:
    """Work of so many days that starts when all tasks of ``after`` are done. No days make a milestone."""

    name: str
    days: int
    after: tuple = ()


class Plan:
    """Tasks by name, in the order they were written."""

    def __init__(self, tasks):
        self.tasks = {}
        for task in tasks:
            if task.name in self.tasks:
                raise BadPlan("task {!r} is there twice".format(task.name))
            self.tasks[task.name] = task
        for task in tasks:
            for name in task.after:
                if name not in self.tasks:
                    raise BadPlan("{!r} waits for {!r}, which is not in the plan".format(task.name, name))

    def __getitem__(self, name):
        return self.tasks[name]

    def __iter__(self):
        return iter(self.tasks)

    def __len__(self):
        return len(self.tasks)


def _parse_line(number, line):
    match = LINE.fullmatch(line)
    if match is None:
        raise BadPlan("line {}: expected 'name: days after other, another'".format(number))
    after = [name.strip() for name in (match["after"] or "").split(",")]
    return Task(match["name"].strip(), int(match["days"]), tuple(name for name in after if name))


def parse(text):
    """The plan in a text; empty lines and what follows a ``#`` do not count.

    Raises BadPlan.
    """
    lines = ((number, line.split("#")[0].strip()) for number, line in enumerate(text.splitlines(), 1))
    return Plan([_parse_line(number, line) for number, line in lines if line])
