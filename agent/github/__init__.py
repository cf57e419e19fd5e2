"""GitHub's API: issues, images, proposed changes, remotes, CI runs, and text for GitHub."""
