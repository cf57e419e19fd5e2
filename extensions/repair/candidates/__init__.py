"""Building blocks for repair templates: expressions, conditions and weights."""
