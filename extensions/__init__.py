"""Extensions of the core: each is a folder with all of its layers in it, and can be removed."""
