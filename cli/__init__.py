"""The `quarry` command: one file a command group. The roof: imports all, nobody imports it."""
