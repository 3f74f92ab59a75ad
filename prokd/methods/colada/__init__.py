"""CoLaDa: translated and unlabelled text, each denoised by the tagger of the other, in rounds."""
