"""The records of a run, its journal and its trees. This package imports no other package of this project."""
