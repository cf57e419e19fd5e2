"""Names in Python's type annotations: uninformative types and Python's builtins."""

from __future__ import annotations

import builtins
import re

UNINFORMATIVE_TYPES = frozenset(("Any", "object", "TypeVar", "ParamSpec", "NewType", "None"))
"""Names of types that say nothing about the attributes of a value."""
_PASSING = """
eval exec filter getattr globals iter locals map max min next object reversed sum super type vars zip
"""
BUILTINS = frozenset(dir(builtins)).difference(_PASSING.split())
"""Python's builtin names, except functions such as `getattr` and `max`, which may return objects defined in the
tree."""
DOTTED_TYPE = re.compile(r"[^\W\d]\w*(?:\(\))?(?:\.[^\W\d]\w*)*")
"""A type that can be looked up: a dotted name, whose first part may be a call."""
