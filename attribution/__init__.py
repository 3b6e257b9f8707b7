"""Where a text comes from: which documents of a run's dataset resemble it. All that is built here can forget."""
