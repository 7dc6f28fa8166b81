"""Retraining: its dialog, the runs beside the work, and the proof that it was worth it."""
