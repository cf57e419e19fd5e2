"""Ids of pytest's tests relative to the repository.

pytest's own are relative to its root folder, which is that of the project if a repository has several.
"""

import os


def rooted_ids(root, config):
    """Return a function that turns pytest's node ids into ids whose paths are relative to `root`; it leaves paths
    outside as they are."""
    root = os.path.realpath(root)
    folder = os.path.realpath(root_folder(config))

    def rooted(nodeid):
        path, colons, rest = nodeid.partition("::")
        path = os.path.normpath(os.path.join(folder, path))
        is_inside = folder != root and path.startswith(root + os.sep)
        return os.path.relpath(path, root).replace(os.sep, "/") + colons + rest if is_inside else nodeid

    return rooted


def root_folder(config):
    """Return pytest's root folder."""
    return str(config.rootpath if hasattr(config, "rootpath") else config.rootdir)
