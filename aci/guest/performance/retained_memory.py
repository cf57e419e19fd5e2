"""How much memory calls leave behind for good: caches do, what the interpreter keeps for itself does not count.

Standard library only, Python 3.7 and later.
"""

import contextlib
import functools
import gc
import sys
import warnings

BATCHES = 2


def left_behind(run, calls):
    """[[blocks of memory by which the interpreter has grown, new calls], ...], one pair for each batch.

    A cache leaves something for each new call in each batch; what is made once, at first use, is in one batch only.
    """
    if not hasattr(sys, "getallocatedblocks"):
        return []
    first = len(calls) % BATCHES or BATCHES
    for data in calls[:first]:
        run(data)
    _settle()
    _settle()  # what the first one needs for itself
    found = []
    for batch in range(BATCHES):
        chosen = calls[first + batch :: BATCHES]
        before = sys.getallocatedblocks()
        for data in chosen:
            run(data)
        _settle()
        found.append([sys.getallocatedblocks() - before, len(chosen)])
    return found


def _settle():
    """Have the interpreter and its library forget what they keep to be faster.

    The interpreter holds each name that was looked up on a type, and where depends on addresses, so that how many it
    holds differs from process to process; the library keeps patterns, formats and the like, as `test.libregrtest`
    knows, which looks for leaks too.
    """
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] in _LIBRARY:
            for one in list(vars(module).values()):
                if isinstance(one, _CACHE) and getattr(one, "__module__", None) == name:
                    one.cache_clear()
    for name, clear in (("re", "purge"), ("_struct", "_clearcache"), ("linecache", "clearcache")):
        if name in sys.modules:
            with contextlib.suppress(Exception):
                getattr(sys.modules[name], clear)()
    if "_strptime" in sys.modules:
        sys.modules["_strptime"]._regex_cache.clear()
    gc.collect()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        getattr(sys, "_clear_internal_caches", getattr(sys, "_clear_type_cache", int))()


_CACHE = type(functools.lru_cache(maxsize=None)(len))
_SOME = "datetime email fnmatch functools glob ipaddress json locale re sre_compile sre_parse string typing urllib"
_LIBRARY = frozenset(getattr(sys, "stdlib_module_names", ()) or _SOME.split())
