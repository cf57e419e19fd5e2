"""The world: workspaces, shell, repository, localization, tests. Imports `trajectories` only."""
