"""What the application knows without a window and without a network. Loads neither Qt nor torch."""
