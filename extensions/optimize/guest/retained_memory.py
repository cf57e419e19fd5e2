"""Memory that calls retain, for example in caches, not counting the caches of Python and its standard library.

Standard library only, Python 3.7 and later.
"""

import contextlib
import functools
import gc
import sys
import warnings

BATCHES = 2


def count_retained_blocks(run, calls):
    """Return [number of additional memory blocks of the interpreter, number of new calls] for each batch.

    A cache grows with each new call, in every batch, whereas one-time initialisation affects only one batch.
    """
    if not hasattr(sys, "getallocatedblocks"):
        return []
    first = len(calls) % BATCHES or BATCHES
    for data in calls[:first]:
        run(data)
    _settle()
    _settle()  # the first call itself allocates memory
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
    """Clear the caches of the interpreter and the standard library.

    The interpreter caches names looked up on types, in slots that depend on addresses, so the number of these entries
    differs between processes. The standard library caches regular expressions, formats and the like; CPython's leak
    checker in `test.libregrtest` clears the same caches.
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
