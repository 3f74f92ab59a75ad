"""Word dictionaries, and where they come from: files, parallel sentences, word vectors."""
