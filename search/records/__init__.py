"""MLflow: what it is to hold, read from run folders and studies, and how it gets there."""
