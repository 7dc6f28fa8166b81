"""Work beside the window: one inference thread, decoding, training as a subprocess."""
