"""Operations on runs on disk: list, show, follow, remove."""
