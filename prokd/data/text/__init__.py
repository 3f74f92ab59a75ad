"""Raw text to sentences of words: an unlabelled corpus of a language that has no data set."""
