"""Qt widgets and the pure functions that draw what they show."""
