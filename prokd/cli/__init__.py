"""The command line ``prokd``."""
