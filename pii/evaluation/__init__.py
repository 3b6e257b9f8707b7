"""The labelled sets that redaction is measured on, and the code that measures: see pii/evaluate.py."""
