"""Lessons of finished runs for later runs in their repository, and the model that words them."""
