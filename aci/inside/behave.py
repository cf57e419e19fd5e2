"""What a function answers on inputs made from those it gets in the tests: to tell plausible candidates apart.

Standard library only, for the target's own Python (3.6 and later).
"""

import copy
import hashlib
import itertools
import random
import re
import sys
import types

from .sandbox import TimeUp, cpu_limit

SEEN, INPUTS, ITEMS, LENGTH = 40, 160, 300, 4000


class Inputs:
    """Inputs of the function that the candidates edit: seen in the tests, and mutated from those."""

    def __init__(self, editor, candidate, tests, limit):
        self.editor = editor
        self.limit = limit
        function = candidate["function"]
        found = editor.functions(candidate["path"], function) if function else []
        self.function = found[0] if found else None
        self.inputs = []
        if self.function is not None:
            self._record(tests)
            self._mutate()

    def _record(self, tests):
        """Copy the arguments of the outermost calls while the tests run."""
        wanted = self.function.__code__
        seen = []
        texts = set()
        depth = [0]

        def profile(frame, event, argument):
            if frame.f_code is not wanted or event not in ("call", "return"):
                return
            depth[0] += 1 if event == "call" else -1
            if event == "return" or depth[0] > 1 or len(seen) >= SEEN:
                return
            try:
                values = [copy.deepcopy(frame.f_locals[name]) for name in wanted.co_varnames[: wanted.co_argcount]]
                text = shown(values)
            except Exception:  # noqa: BLE001 - any object may refuse to be copied or shown
                return
            if text not in texts:
                texts.add(text)
                seen.append(values)

        for test in tests:
            depth[0] = 0
            sys.setprofile(profile)
            try:
                with cpu_limit(10 * self.limit):
                    test.run()
            except TimeUp:
                pass
            finally:
                sys.setprofile(None)
        self.inputs = seen

    def _mutate(self):
        chance = random.Random(0)
        texts = {shown(values) for values in self.inputs}
        origin = list(self.inputs)
        for _ in range(4 * INPUTS):
            if not origin or len(self.inputs) >= INPUTS:
                return
            try:
                values = [copy.deepcopy(value) for value in chance.choice(origin)]
            except Exception:  # noqa: BLE001 - as above
                continue
            for _ in range(chance.randint(1, 2)):
                if values:
                    place = chance.randrange(len(values))
                    values[place] = mutated(values[place], chance)
            text = shown(values)
            if text not in texts:
                texts.add(text)
                self.inputs.append(values)

    def answers(self, candidate, emit):
        """Emit for each input a short digest, or `!` and what was raised; `!late` where time was up."""
        if self.function is None:
            return
        try:
            self.editor.apply(candidate)
        except Exception:  # noqa: BLE001 - a candidate that cannot be put in answers nothing
            return
        late = 0
        for values in self.inputs:
            answer = "!late"
            if late < 5:
                try:
                    answer = self._answer(values)
                except TimeUp:
                    late += 1
            emit(answer)

    def _answer(self, values):
        try:
            values = copy.deepcopy(values)
            with cpu_limit(self.limit):
                result = self.function(*values)
                if isinstance(result, types.GeneratorType):
                    result = list(itertools.islice(result, ITEMS))
            text = shown([result, values])
        except TimeUp:
            raise
        except BaseException as error:  # noqa: BLE001 - the candidate may raise anything
            return "!" + type(error).__name__
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]


def shown(value):
    """A text that tells values apart, without addresses; sets and dicts in order of their texts."""
    return re.sub(r" at 0x[0-9a-f]+", "", _shown(value, 0))[:LENGTH]


def _shown(value, depth):
    if depth > 6:
        return "..."
    if isinstance(value, dict):
        items = sorted(_shown(key, depth + 1) + ":" + _shown(one, depth + 1) for key, one in value.items())
        return "{" + ",".join(items) + "}"
    if isinstance(value, (list, tuple, set, frozenset)):
        items = [_shown(one, depth + 1) for one in itertools.islice(value, ITEMS)]
        if isinstance(value, (set, frozenset)):
            items.sort()
        return type(value).__name__ + "(" + ",".join(items) + ")"
    if type(value).__repr__ is object.__repr__ and hasattr(value, "__dict__"):
        return type(value).__name__ + _shown(vars(value), depth + 1)
    return repr(value)


def mutated(value, chance):
    """A value of the same kind, a little different."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return chance.choice([value + 1, value - 1, 0, 1, 2 * value, value // 2, value + chance.randint(2, 9)])
    if isinstance(value, float):
        return chance.choice([value + 1, value / 2, 0.0, 2 * value])
    if isinstance(value, str):
        return "".join(_sequence(list(value), chance, lambda one: chance.choice(value)))
    if type(value) in (list, tuple):
        changed = _sequence(list(value), chance, lambda one: mutated(one, chance))
        return type(value)(sorted(changed) if len(value) > 2 and _is_sorted(value) else changed)
    if isinstance(value, dict) and value:
        key = chance.choice(list(value))
        return {name: mutated(one, chance) if name == key else one for name, one in value.items()}
    return value


def _is_sorted(value):
    """Whether a sequence may be meant to be in order: then it stays so."""
    try:
        return all(one <= other for one, other in zip(value, value[1:]))
    except Exception:  # noqa: BLE001 - a comparison may raise anything
        return False


def _sequence(items, chance, change):
    if not items:
        return items
    place = chance.randrange(len(items))
    kind = chance.randrange(5)
    if kind == 0:
        del items[place]
    elif kind == 1:
        items.insert(chance.randrange(len(items) + 1), items[place])
    elif kind == 2:
        items[place] = change(items[place])
    elif kind == 3:
        chance.shuffle(items)
    else:
        items[place:] = []
    return items
