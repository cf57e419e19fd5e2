"""What we have to do with GitHub."""
