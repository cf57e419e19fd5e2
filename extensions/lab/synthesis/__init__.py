"""Synthesis of verified task instances from a repository whose tests run."""
