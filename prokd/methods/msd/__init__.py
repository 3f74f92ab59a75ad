"""Mixture-based student distillation (Ma et al., EMNLP 2022, arXiv:2212.03506)."""
