"""Why a document is in the dataset or not, and what became of a repository: read from the decisions, in plain words."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import UsageError
from pipeline.state import Run
from reports.excerpts import Mask
from reports.names import KnownRepository, find_repository, known_repositories
from reports.rows import decision_tables, is_done, settled
from reports.why_document import DocumentAnswer, about_document
from reports.why_repository import RepositoryAnswer, about_repository, documents_of

Answer = DocumentAnswer | RepositoryAnswer


def why(run: Run, target: str, mask: Mask | None = None) -> Answer:
    """What became of `target`: the id of a document or a repository, OWNER/REPO, or OWNER/REPO:PATH.

    With `mask`, which redacts a text, it shows how a near-duplicate differs; without, no text is shown.
    Raises UsageError, with the nearest names, where the run knows no such thing.
    """
    run, target = settled(run), target.strip()
    repository = find_repository(run, target)
    if repository is not None:
        return about_repository(run, repository)
    for colon in re.finditer(":", target):
        repository = find_repository(run, target[: colon.start()])
        if repository is not None:
            target = _document_at(run, repository, target[colon.end() :])
            break
    if re.fullmatch("[0-9a-fA-F]{32}", target):
        answer = about_document(run, target.lower(), mask)
        if answer is None:
            raise UsageError(
                f"no document of the run in '{run.store.root}' has the id '{target}'; "
                "ask by OWNER/REPO:PATH, as ids differ from commit to commit."
            )
        return answer
    name = target.rpartition(":")[0] or target
    known = {name.casefold(): name for row in known_repositories(run) for name in (row.listed, row.repo)}
    near = difflib.get_close_matches(name.casefold(), known, n=3, cutoff=0.5)
    raise UsageError(
        f"the run in '{run.store.root}' lists no repository '{name}'"
        + (f"; did you mean {_either(known[key] for key in near)}?" if near else "; see the recipe's repository list.")
    )


def _document_at(run: Run, repository: KnownRepository, path: str) -> str:
    """The id of the repository's document at `path`; UsageError with the nearest paths where there is none."""
    places: dict[str, set[str]] = {}
    for table in _rows_of(run, repository.repo, ["id", "repo", "path"]):
        for document, found in zip(table["id"].to_pylist(), table["path"].to_pylist(), strict=True):
            places.setdefault(found, set()).add(document)
    places.pop("", None)
    ids = sorted(places.get(path, ()))
    if len(ids) == 1:
        return ids[0]
    if ids:
        raise UsageError(
            f"'{repository.repo}:{path}' was read at {len(ids)} commits; ask for one of the ids {', '.join(ids)}."
        )
    near = difflib.get_close_matches(path, places, n=3, cutoff=0.4)
    hint = f"; did you mean {_either(near)}?" if near else f"; 'quarry why' {repository.repo} tells what became of it."
    raise UsageError(f"'{path}' is no document of '{repository.repo}' in this run{hint}")


def _rows_of(run: Run, repo: str, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Rows about a repository: all decisions, then the documents of the last passes, back to one that is complete."""
    for _, _, table in decision_tables(run, columns):
        yield table.filter(pc.equal(table["repo"], repo))
    for number in reversed(range(len(run.passes))):
        yield from documents_of(run, number, repo, columns)
        if is_done(run, number):
            return


def _either(names: Iterable[str]) -> str:
    return " or ".join(f"'{name}'" for name in names)
