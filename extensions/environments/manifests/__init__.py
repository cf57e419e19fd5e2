"""The files of a repository that describe its set-up: Dockerfiles, devcontainers and Python manifests."""
