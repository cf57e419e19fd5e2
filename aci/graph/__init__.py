"""The code graph: the definitions and references of each blob, parsed once, and the links between a tree's files."""
