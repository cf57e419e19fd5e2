"""A session: turns of one run, asked for by a user at any front end. Nothing here knows how it is shown."""
