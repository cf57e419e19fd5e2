"""The agent's tools: one module with one typed function for each."""
