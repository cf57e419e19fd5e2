"""The strategy that proves a patch and asks a model for remarks."""
