"""Whether predictions solve their instances: hidden tests in clean workspaces, reports, comparisons."""
