"""The kernel: schemas, the Stage, recipes, the executor, storage and the files of a run. Imports nothing of ours."""
