"""Not collected until the jobs are there."""

collect_ignore_glob = ["test_*.py"]
