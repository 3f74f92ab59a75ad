"""What a model is worth: measures, passes over a corpus, tags of new text."""
