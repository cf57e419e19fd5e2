"""Ingredients of templates at a statement: expressions, conditions, weights."""
