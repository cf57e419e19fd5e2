"""Candidates for training sets: their conversations, costs and rewards, and what is excluded."""
