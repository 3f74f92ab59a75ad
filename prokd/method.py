"""What a method is to whatever drives it."""
