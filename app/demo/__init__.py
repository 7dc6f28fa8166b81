"""The sample that the program paints and films itself, and what `mer demo` does with it."""
