"""The claims: named variants of the method, run like a search, compared with tests that hold."""
