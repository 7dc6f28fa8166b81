"""The only place where views meet the document and the jobs."""
