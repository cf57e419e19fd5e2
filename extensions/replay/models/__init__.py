"""The model `replay:RUN`."""
