"""ProKD (Ge et al. 2023, arXiv:2301.08855)."""
