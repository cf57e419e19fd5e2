"""Components that all workspaces share: shells, files, snapshots, processes and terminals."""
