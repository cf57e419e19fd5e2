"""Storage of trees of files as git objects: reading and writing them, and commands of git."""
