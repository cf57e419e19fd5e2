"""Storage of trees of files as git objects: reading and writing them, and running git commands."""
