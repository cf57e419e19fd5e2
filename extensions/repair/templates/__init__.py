"""Templates: functions that yield drafts of edits for a `TemplateSite`, the likeliest first."""
