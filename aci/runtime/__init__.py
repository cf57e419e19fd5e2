"""The parts of every workspace: shells, files, snapshots, processes, terminals."""
