"""Where a repository's environment comes from: one file a source, and how it is built and mended."""
