"""One folder for each stage run: its identity, its checkpoints, its results."""
