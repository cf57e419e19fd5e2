"""Of which names it is known what they say, or do not say, about the values that have them."""

from __future__ import annotations

import builtins
import re

UNTOLD = frozenset(("Any", "object", "TypeVar", "ParamSpec", "NewType", "None"))
"""Names of types that say nothing of what has them."""
_PASSING = """
eval exec filter getattr globals iter locals map max min next object reversed sum super type vars zip
"""
BUILTIN = frozenset(dir(builtins)).difference(_PASSING.split())
"""What Python itself defines, without what gives back things that others define."""
DOTTED = re.compile(r"[^\W\d]\w*(?:\(\))?(?:\.[^\W\d]\w*)*")
"""What can be looked up: a dotted name, of what its first part gives when called too."""
