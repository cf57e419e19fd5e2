"""Restoration of data that the repository's tests change in every run, such as registries and lazily created objects.

Standard library only, for the target's own Python (3.6 and later).
"""

import collections
import operator
import types

PLAIN = (dict, list, set, collections.OrderedDict, collections.defaultdict, collections.deque)


class StateSnapshot:
    """A snapshot of containers and classes; those whose ids are in `restless` are restored.

    Items are compared by identity, so that no code of the repository runs.
    """

    def __init__(self):
        self.restless = frozenset()
        self._saved = {}

    def add(self, value):
        """Save the contents of a container or the attributes of a class; ignore other values."""
        kind = type(value)
        if kind in PLAIN:
            self._saved[id(value)] = value, value.copy()
        elif issubclass(kind, type):
            self._saved[id(value)] = value, dict(vars(value))

    def changed(self):
        """Return the ids of the values that have changed."""
        return [key for key, (value, saved) in self._saved.items() if not _same(value, saved)]

    def add_restless(self, ids):
        """From now on, also restore the values with these ids."""
        self.restless |= self._saved.keys() & frozenset(ids)

    def restore(self):
        for key in self.restless:
            value, saved = self._saved[key]
            try:
                if not _same(value, saved):
                    _restore(value, saved)
            except Exception:  # noqa: BLE001 - a class whose attributes cannot be set is not restored any more
                self.restless -= {key}


def _same(value, saved):
    now = vars(value) if isinstance(value, type) else value
    if len(now) != len(saved):
        return False
    if isinstance(saved, dict):
        return all(map(operator.is_, now.values(), saved.values())) and all(map(operator.is_, now, saved))
    if isinstance(saved, set):
        return set(map(id, now)) == set(map(id, saved))
    return all(map(operator.is_, now, saved))


def _restore(value, saved):
    if isinstance(value, type):
        now = dict(vars(value))
        for name in now.keys() - saved.keys():
            type.__delattr__(value, name)
        for name, one in saved.items():
            if now.get(name) is not one:
                type.__setattr__(value, name, one)
        return
    if isinstance(saved, dict):  # keep the submodules that a package has imported since
        new = {name: one for name, one in value.items() if name not in saved and type(one) is types.ModuleType}
        saved.update(new)
    value.clear()
    if isinstance(saved, (dict, set)):
        value.update(saved)
    else:
        value.extend(saved)
