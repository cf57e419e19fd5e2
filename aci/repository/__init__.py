"""The user's repository: clone, commit, push, merge, patch, blobs; Python source, caches on disk."""
