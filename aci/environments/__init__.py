"""The environments of repositories: their sources, their planning, set-up and repair."""
