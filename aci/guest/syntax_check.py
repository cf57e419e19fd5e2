"""Syntax check of a file by the Python that runs this module: prints nothing, or the line and the error.

The target's Python (3.5 and later) runs it as `python -c` with the file's path. Standard library only.
"""

import sys
import warnings

warnings.simplefilter("ignore")
with open(sys.argv[1], "rb") as file:
    source = file.read()
try:
    compile(source, sys.argv[1], "exec", 0, True)
except SyntaxError as error:
    sys.stdout.write("%d %s: %s\n" % (error.lineno or 0, type(error).__name__, error.msg))
except (ValueError, TypeError) as error:
    sys.stdout.write("0 %s: %s\n" % (type(error).__name__, error))
except (RecursionError, MemoryError):
    pass
