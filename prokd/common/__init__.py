"""What every room uses: names, text, places of files."""
