"""The colours of all figures: Okabe and Ito's, which colour-blind eyes tell apart, and brown."""

INK = "#1f2329"
"""Of lines and letters; a page that has dark and light puts its own in its place."""
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31")
