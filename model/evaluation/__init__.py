"""Scoring by the rules of public benchmarks: DAVIS (J and F) and keypoints (PCK)."""
