"""The source-trained tagger as it is: direct transfer."""
