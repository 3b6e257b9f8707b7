"""The recipes that come with Quarry, and what makes the repositories its demo runs on."""
