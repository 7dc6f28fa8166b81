"""The timeline: what is known of every frame, and the way to any of them."""
