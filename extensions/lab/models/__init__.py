"""Models that the laboratory adds."""
