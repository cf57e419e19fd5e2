"""A session: the turns of one run, requested by a user through any front end. This package does not depend on how a
session is displayed."""
