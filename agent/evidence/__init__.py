"""Evidence of a proof: what it claims, as a file that others can check."""
