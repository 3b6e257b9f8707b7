"""The closed catalogue: every stage a recipe may name. A new stage is one line here."""

from __future__ import annotations

from opt_out.stage import OptOut
from pii.stage import Redact
from pipeline.recipe import Catalog
from stages.acquire import Acquire
from stages.deduplicate import Deduplicate
from stages.license import License
from stages.quality import Quality
from stages.select import Select
from stages.tokenize import Tokenize

CATALOG: Catalog = {
    "opt_out": OptOut,
    "acquire": Acquire,
    "license": License,
    "select": Select,
    "quality": Quality,
    "deduplicate": Deduplicate,
    "redact": Redact,
    "tokenize": Tokenize,
}
