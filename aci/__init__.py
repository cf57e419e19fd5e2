"""The environment in which an agent acts: workspaces, shell, repository, localization and tests. Imports `trajectories`
only."""
