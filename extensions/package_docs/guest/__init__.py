"""The program that reads an installed package, which runs in the workspace."""
