"""Files in and out: masks, keypoints, overlays, videos and reports. Everything is written atomically."""
