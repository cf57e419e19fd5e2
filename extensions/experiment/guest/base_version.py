"""The base of a patch, in a process that has loaded the patched files.

Standard library only, for the target's own Python (3.6 and later).
"""

import gc


def load_files(job):
    """Import the changed modules, since tests may import them only while they run."""
    if hasattr(gc, "unfreeze"):  # otherwise `gc.get_objects` would omit the functions
        gc.unfreeze()
    for path in job.spec["files"]:
        job.editor.load(path)


def restore_base(job):
    """Run the changed modules again with the base's text, without the functions that the patch adds."""
    for function in job.spec["added"]:
        job.editor.remove(function["path"], function["qualname"])
    for path, text in job.spec["files"].items():
        size = len(job.editor.source(path))
        job.editor.rerun({"path": path, "edits": [[0, size, text]]})
