"""ConCNER: contrast of sentences with their translations, and of tokens of one class."""
