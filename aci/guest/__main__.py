"""Entry point of the guest programs: `python __main__.py MODULE ARGUMENT ...` calls `main` of a module of this package.

Neither the working directory nor this package's folder is on sys.path, so that modules of the repository and of this
package cannot shadow each other. A program that imports the repository's modules adds the working directory to sys.path
itself.
"""

import os
import sys

if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    parent, package = os.path.split(here)
    sys.path[:] = [folder for folder in sys.path if os.path.realpath(folder) != os.path.realpath(here)]
    sys.path.insert(0, parent)
    main = __import__("%s.%s" % (package, sys.argv[1]), fromlist=["main"]).main
    sys.path.remove(parent)
    main(*sys.argv[2:])
