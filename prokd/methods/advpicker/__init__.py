"""AdvPicker: features that hide the language, and a student of sentences between both."""
