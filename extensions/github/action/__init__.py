"""The three jobs of the GitHub Action (gate, solve, publish), their limits, status comment, archive and log."""
