"""Findings on a patch or a function, as a review for people, as SARIF, and as remarks on a pull request."""
