"""What a run tells about itself: why a document was kept or dropped, and the run report. Both only read the run."""
