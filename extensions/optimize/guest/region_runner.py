"""Running a call between the start and the end of a measured region.

Standard library only, for the target's own Python (3.7 and later).
"""

import itertools
import types
from collections import deque

MOST_ITEMS = 1000000
"""Maximum number of items taken from a returned iterator; producing them counts as part of the call."""


def run_region(begin, end, function, args, kwargs):
    """Call the function between `begin()` and `end()`; return its result or error, to be freed by the caller.

    Only the call and the consumption of a lazy result are inside the region.
    """
    begin()
    try:
        result = function(*args, **kwargs)
        if isinstance(result, LAZY):
            use_up(result)
    except BaseException as error:  # noqa: BLE001 - the caller handles errors
        result = error
    end()
    return result


LAZY = (types.GeneratorType, types.CoroutineType, map, filter, zip, enumerate, itertools.chain, itertools.islice)


def use_up(lazy):
    if isinstance(lazy, types.CoroutineType):
        import asyncio

        asyncio.run(lazy)
    else:
        deque(itertools.islice(lazy, MOST_ITEMS), 0)
