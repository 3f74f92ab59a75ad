"""Teacher-student learning (Wu et al., ACL 2020, arXiv:2004.12440)."""
