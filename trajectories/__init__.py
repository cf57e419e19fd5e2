"""The records of a run, its journal and its trees. Imports no other package of this project."""
