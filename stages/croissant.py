"""croissant.json of the dataset: Croissant 1.0 with the RAI vocabulary, told from the run's own record.

Croissant (http://mlcommons.org/croissant/1.0) is what dataset catalogues and loaders read; RAI adds how the data was
collected, what was taken out, and what is known to be wrong with it. Paths are relative to the file, so that the
folder can be moved or uploaded as it is.
"""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa

from pipeline.state import Run
from stages.facts import Facts

# The context that the specification prescribes word for word (Croissant 1.0, appendix 1).
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
CONFORMS = ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"]
FILES = "shards"  # the @id of the set of token shards


def croissant(run: Run, facts: Facts) -> dict[str, Any]:
    """The JSON-LD of a published run, as plain data."""
    about = run.recipe.about
    name = re.sub(r"[^\w.-]+", "-", run.recipe.name)
    content: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS,
        "name": name,
        "description": about.description or facts.sentence,
        "license": [_license(expression) for expression in facts.licenses],
        "url": about.url or "README.md",
        "version": about.version,
        "citeAs": f"@misc{{{name}, title={{{about.title or run.recipe.name}}}, version={{{about.version}}}}}",
        "keywords": ["code", *facts.languages],
        "distribution": [
            {
                "@type": "cr:FileSet",
                "@id": FILES,
                "description": "Token shards, one row a file of source code.",
                "encodingFormat": "application/x-parquet",
                "includes": "data/*.parquet",
            }
        ],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": "documents",
                "name": "documents",
                "description": facts.sentence,
                "key": {"@id": "documents/id"},
                "field": [_field(column) for column in facts.schema],
            }
        ],
        "rai:dataCollection": facts.collection,
        "rai:dataCollectionType": ["Software Collection"],
        "rai:dataPreprocessingProtocol": facts.process,
        "rai:personalSensitiveInformation": facts.personal,
        "rai:dataLimitations": facts.limits,
        "rai:dataReleaseMaintenancePlan": facts.removal,
    }
    if about.contact:
        content["creator"] = {"@type": "sc:Organization", "name": about.contact}
    if about.published:
        content["datePublished"] = about.published.isoformat()
    return content


def _license(expression: str) -> str:
    """The page of a licence that SPDX lists; an expression of several as it is."""
    return (
        f"https://spdx.org/licenses/{expression}.html" if re.fullmatch(r"[A-Za-z0-9.+-]+", expression) else expression
    )


def _field(column: pa.Field) -> dict[str, Any]:
    repeated = pa.types.is_list(column.type)
    plain = column.type.value_type if repeated else column.type
    field = {
        "@type": "cr:Field",
        "@id": f"documents/{column.name}",
        "name": column.name,
        "description": (column.metadata or {}).get(b"meaning", b"").decode(),
        "dataType": "sc:Integer" if pa.types.is_integer(plain) else "sc:Text",
        "source": {"fileSet": {"@id": FILES}, "extract": {"column": column.name}},
    }
    return field | ({"repeated": True} if repeated else {})
