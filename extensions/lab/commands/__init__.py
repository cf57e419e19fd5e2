"""The subcommands `batch`, `evaluate` and `synth`."""
