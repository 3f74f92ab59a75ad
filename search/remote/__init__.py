"""Searches on a cluster, started and watched from outside."""
