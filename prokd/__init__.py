"""ProKD: prototypical knowledge distillation for zero-resource cross-lingual NER.

The package holds the method alone (Ge et al. 2023, arXiv:2301.08855). Importing it loads no
deep-learning library, so that a configuration or an ablation spec can be read in milliseconds.
"""

import os

# Read by OpenMP when torch is imported: threads that wait sleep, instead of spinning on cores that
# other processes need (docs/log/engineering.md: 56 s instead of 267 s on a busy machine).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
