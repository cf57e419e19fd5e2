"""GitHub's API: client, errors, retries, cache, issues, images, pull requests, remotes."""
