"""The subcommands `batch`, `bench`, `evaluate`, `export` and `synth`."""
