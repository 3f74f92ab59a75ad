"""The tuning: what is tried, where it runs, what is kept. Ray executes; folders are the truth."""
