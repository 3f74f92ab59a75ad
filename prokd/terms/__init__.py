"""Equations that methods share: one paper term a file, pure functions on tensors."""
