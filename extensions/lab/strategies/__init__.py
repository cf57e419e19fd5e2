"""The strategy of a training episode."""
