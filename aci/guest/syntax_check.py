"""Says whether a file is valid for the Python that runs this: prints nothing, or the line and what is wrong.

Given to the target's Python (3.5 and later) as `python -c`, with the file's path; standard library only.
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
