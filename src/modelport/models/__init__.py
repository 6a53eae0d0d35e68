"""What an author writes: one class with one hook."""
