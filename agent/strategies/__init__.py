"""How an issue is solved: one strategy a file, `solve(task)`, over the one loop. Prompts lie beside each."""
