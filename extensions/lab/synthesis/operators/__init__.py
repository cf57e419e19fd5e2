"""Mutation operators: each yields edits that plant a bug."""
