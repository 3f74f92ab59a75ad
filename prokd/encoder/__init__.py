"""The pretrained encoder, the classifier on it, and what is trained of it on disk."""
