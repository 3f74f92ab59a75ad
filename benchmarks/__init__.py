"""Speed as ratios within one run: this project beside the recipe of published code."""
