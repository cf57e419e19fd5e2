"""The code graph: what each blob defines and refers to, parsed once, and how the files of a tree hang together."""
