"""The closed catalogue: every stage a recipe may name. A new stage is one line here."""

from __future__ import annotations

from opt_out.stage import OptOut
from pii.stage import Redact
from pipeline.recipe import Catalog
from stages.acquire import Acquire
from stages.acquire_dataset import AcquireDataset
from stages.comments import Comments
from stages.datatrove import Datatrove
from stages.decontaminate import Decontaminate
from stages.deduplicate import Deduplicate
from stages.fertility import Fertility
from stages.github import GitHub
from stages.license import License
from stages.natural_language import NaturalLanguage
from stages.quality import Quality
from stages.sample import Sample
from stages.select import Select
from stages.stars import Stars
from stages.tokenize import Tokenize

CATALOG: Catalog = {
    "github": GitHub,
    "opt_out": OptOut,
    "acquire": Acquire,
    "acquire_dataset": AcquireDataset,
    "license": License,
    "select": Select,
    "quality": Quality,
    "natural_language": NaturalLanguage,
    "stars": Stars,
    "comments": Comments,
    "fertility": Fertility,
    "datatrove": Datatrove,
    "sample": Sample,
    "deduplicate": Deduplicate,
    "decontaminate": Decontaminate,
    "redact": Redact,
    "tokenize": Tokenize,
}
