"""A stage run from end to end."""
