"""Training sets: candidates with their conversations and costs, what is excluded, and data cards."""
