"""What a training stage is made of: one epoch at a time, its optimiser, its memory."""
