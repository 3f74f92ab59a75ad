"""ProKD: prototypical knowledge distillation for zero-resource cross-lingual NER.

The package holds the method alone (Ge et al. 2023, arXiv:2301.08855). Importing it loads no
deep-learning library, so that a configuration or an ablation spec can be read in milliseconds.
"""
