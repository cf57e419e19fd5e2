"""Failed CI: its runs, jobs and logs, and `fix --ci`."""
