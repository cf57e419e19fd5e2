"""Language servers of a workspace's environment, asked for references and diagnostics."""
