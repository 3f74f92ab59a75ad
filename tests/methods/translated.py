"""A dictionary for the tiny corpus, as a user would bring it."""

from pathlib import Path

PAIRS = {
    "lives": "woont",
    "hired": "nam",
    "today": "aan",
    "the": "het",
    "office": "kantoor",
    "paris": "parijs",
    "berlin": "berlijn",
    "anna": "anneke",
    "bank": "oever",
}


def write_dictionary(path: Path) -> Path:
    """Write the words, one pair a line."""
    path.write_text("".join(f"{word}\t{other}\n" for word, other in PAIRS.items()), "utf-8")
    return path
