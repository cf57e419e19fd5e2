"""Operations on runs on disk: list, show, follow, replay, fork, remove."""
