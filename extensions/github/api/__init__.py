"""GitHub's API: the client with its retries, errors and cache, and what is read through it."""
