"""The commands of `mer`, a file each: they parse, call and print; the work is elsewhere."""
