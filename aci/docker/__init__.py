"""The Docker daemon, base images, container limits, service containers and clean-up."""
