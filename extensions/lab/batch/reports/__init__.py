"""Reports of a batch: progress, results, predictions, leaderboard submission, failure page."""
