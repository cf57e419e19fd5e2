"""A patch as a draft pull request: safety check of its files, title, body, template, changelog, comments."""
