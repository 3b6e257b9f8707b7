"""The stages of the pipeline, one a file: acquire, license, select, quality, deduplicate, tokenize, ..."""
