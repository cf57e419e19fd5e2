"""Programs that run in set-up containers: relays to the package registries, and an index of older packages."""
