"""What happened: the records of a run, its journal, its trees. Imports nothing of ours."""
