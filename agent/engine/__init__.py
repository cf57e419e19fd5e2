"""The parts of a run: the loop, branches, tasks, parallel attempts and the proof step."""
