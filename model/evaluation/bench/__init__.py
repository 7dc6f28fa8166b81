"""What `mer bench` measures: every stage against what this machine can do at most, found in the same run.

Times are the least of several rounds: other programs can only slow a round down. Compare ratios within one run.
"""
