"""Windows of their own: few, and none that stands in the way."""
