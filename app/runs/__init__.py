"""Work that a command or the window has done: one or many videos, measurements, pictures. It knows neither."""
