"""The steps of near-deduplication: maps over workers with records shuffled between them; see stages/deduplicate.py."""
