"""Repositories get the licence their files state, and unclear ones are never taken for permissive."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from pipeline import schema
from pipeline.inline import InlineExecutor
from pipeline.law import check
from pipeline.side import Corpus, Side, Worker
from pipeline.stage import Outcome
from pipeline.storage import Storage
from stages.license import License, judge, kind_of
from stages.scancode import MAX_CHARACTERS, Scancode, Term

OWN = "You may look at this on Tuesdays, but you shall not copy it or give it to your neighbour.\n"
HOLDER = "MIT License\n\nCopyright (c) 2020 Jane Doe\n\n"


def body(key: str) -> str:
    """The text of a licence, from ScanCode's own collection."""
    spec = find_spec("licensedcode")
    assert spec is not None
    assert spec.origin is not None
    text = (Path(spec.origin).parent / "data" / "licenses" / f"{key}.LICENSE").read_text(encoding="utf-8")
    return text.split("\n---\n", 1)[1].lstrip("\n")


def cases() -> dict[str, tuple[dict[str, str], str | None, str]]:
    """Repository -> (files, SPDX expression, type)."""
    mit, apache, gpl = HOLDER + body("mit"), body("apache-2.0"), body("gpl-3.0")
    unknown = "LicenseRef-scancode-unknown"
    rewrapped = "\n\n".join("\t" + re.sub(r"\s+", " ", part) for part in mit.split("\n\n"))
    clause = "provided that the person does not use it for war, subject to the following conditions"
    inserted = re.sub(r"subject\s+to\s+the\s+following\s+conditions", clause, mit)
    assert inserted != mit
    both = "MIT AND Apache-2.0"
    return {
        "ok/mit": ({"LICENSE": mit}, "MIT", "permissive"),
        "ok/apache": ({"LICENSE.txt": apache}, "Apache-2.0", "permissive"),
        "ok/bsd": ({"COPYING": body("bsd-new")}, "BSD-3-Clause", "permissive"),
        "ok/cc0": ({"licence.md": body("cc0-1.0")}, "CC0-1.0", "permissive"),
        "ok/unlicense": ({"UNLICENSE": body("unlicense")}, "Unlicense", "permissive"),
        "ok/rust": ({"LICENSE-APACHE": apache, "LICENSE-MIT": mit}, "Apache-2.0 AND MIT", "permissive"),
        "ok/named": ({"LICENSE": "Licensed under the MIT license.\n"}, "MIT", "permissive"),
        "ok/pointing": ({"LICENSE": "See LICENSE-MIT and LICENSE-APACHE.\n"}, both, "permissive"),
        "ok/choice": ({"LICENSE": "Dual licensed under the MIT or GPL Version 2 licenses.\n"}, "GPL-2.0-only OR MIT",
                      "permissive"),
        "ok/crlf": ({"LICENSE": "\ufeff" + mit.replace("\n", "\r\n")}, "MIT", "permissive"),
        "ok/rewrapped": ({"LICENSE": rewrapped}, "MIT", "permissive"),
        "ok/noticed": ({"LICENSE": apache, "NOTICE": "Acme Widgets\nCopyright 2020 Acme\n"}, "Apache-2.0",
                       "permissive"),
        "ok/reuse": ({"LICENSES/MIT.txt": mit, "LICENSES/CC0-1.0.txt": body("cc0-1.0")}, "CC0-1.0 AND MIT",
                     "permissive"),
        "ok/marks": ({"LICENSE": apache, "LICENSES/Apache-2.0.txt": apache,
                      "LICENSES/LicenseRef-trademark-policy.txt": body("elixir-trademark-policy")}, "Apache-2.0",
                     "permissive"),
        "ok/code": ({"LICENSE": mit, "license.py": OWN, "license-checker.js": OWN}, "MIT", "permissive"),
        "ok/r": ({"LICENSE": "YEAR: 2026\nCOPYRIGHT HOLDER: Acme\n", "LICENSE.md": mit}, "MIT", "permissive"),
        "doubt/r": ({"LICENSE": "YEAR: 2026\nCOPYRIGHT HOLDER: Acme\n"}, unknown, "unknown"),
        "weak/mpl": ({"LICENSE": body("mpl-2.0")}, "MPL-2.0", "weak_copyleft"),
        "weak/lgpl": ({"COPYING.LESSER": body("lgpl-3.0")}, "LGPL-3.0-only", "weak_copyleft"),
        "left/gpl": ({"COPYING": gpl}, "GPL-3.0-only", "copyleft"),
        "left/agpl": ({"LICENSE": body("agpl-3.0")}, "AGPL-3.0-only", "copyleft"),
        "left/bundled": ({"LICENSE": mit, "COPYING3": gpl}, "GPL-3.0-only AND MIT", "copyleft"),
        "left/third": ({"LICENSE": mit, "THIRD-PARTY-NOTICES": gpl}, "MIT AND GPL-3.0-only", "copyleft"),
        "left/file": ({"gpl-3.0.txt": gpl}, "GPL-3.0-only", "copyleft"),
        "shut/sspl": ({"LICENSE": body("mongodb-sspl-1.0")}, "SSPL-1.0", "non_free"),
        "shut/busl": ({"LICENSE": body("bsl-1.1")}, "BUSL-1.1", "non_free"),
        "shut/commons": ({"LICENSE": body("commons-clause") + "\n\n" + mit}, None, "non_free"),
        "shut/secret": ({"LICENSE": "This software is proprietary and confidential.\n"},
                        "LicenseRef-scancode-proprietary-license", "non_free"),
        "doubt/own": ({"LICENSE": OWN}, unknown, "unknown"),
        "doubt/reserved": ({"LICENSE": "Copyright (c) 2024 Acme. All rights reserved.\n"}, unknown, "unknown"),
        "doubt/empty": ({"LICENSE": ""}, unknown, "unknown"),
        "doubt/long": ({"LICENSE": mit + "x " * (MAX_CHARACTERS // 2)}, unknown, "unknown"),
        "doubt/added": ({"LICENSE": mit + "\nThis may not be used for commercial purposes.\n"}, f"MIT AND {unknown}",
                        "unknown"),
        "doubt/inserted": ({"LICENSE": inserted}, f"MIT AND {unknown}", "unknown"),
        "doubt/half": ({"LICENSE": mit, "LICENSE.other": OWN}, f"MIT AND {unknown}", "unknown"),
        "doubt/notice": ({"THIRD-PARTY-NOTICES.txt": mit}, f"MIT AND {unknown}", "unknown"),
        "none/readme": ({"README.md": "# Widgets\n\nLicensed under the MIT license.\n"}, None, "no_license"),
        "none/deep": ({"vendor/lib/LICENSE": mit, "README": "hello"}, None, "no_license"),
    }  # fmt: skip


@dataclass(frozen=True)
class Prepared:
    """The cases' repositories in two shards, so that a repository's files lie apart, after `prepare`."""

    shards: Mapping[str, pa.Table]
    side: Side
    progress: list[tuple[int, int]]

    def apply(self, stage: License) -> dict[str, Outcome]:
        return {name: stage.apply(table, self.side.for_shard(name)) for name, table in self.shards.items()}


def documents(rows: list[tuple[str, str, str]]) -> pa.Table:
    """DOCUMENT rows of (repo, path, text)."""
    empty = dict.fromkeys(schema.DOCUMENT.names)
    listed = []
    for repo, path, text in rows:
        blob = hashlib.sha1(text.encode()).hexdigest()
        listed.append({**empty, "id": f"{repo}:{path}", "repo": repo, "path": path, "blob": blob, "text": text})
    return pa.Table.from_pylist(listed, schema.DOCUMENT)


def prepare(folder: Path, shards: Mapping[str, pa.Table]) -> Prepared:
    side = Side(Storage(folder / "run"), "pass/side", folder, Worker())
    paths = {name: f"input/{name}.parquet" for name in shards}
    for name, table in shards.items():
        side.store.write_table(paths[name], table)
    progress: list[tuple[int, int]] = []
    corpus = Corpus(side.store, paths, side, InlineExecutor(), lambda done, of: progress.append((done, of)))
    License().prepare(corpus, side)
    return Prepared(shards, side, progress)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Everything is read with one load of the index; each repository's files lie in two shards."""
    files = [(repo, path, text) for repo, (listed, _, _) in cases().items() for path, text in listed.items()]
    code = [(repo, "src/main.py", "print()\n") for repo in cases()]
    shards = {"00000": documents(files[::2] + code), "00001": documents(files[1::2])}
    return prepare(tmp_path_factory.mktemp("license"), shards)


def verdict(prepared: Prepared, repo: str) -> dict[str, Any]:
    rows = prepared.side.get_shard("licenses", shard="00000").to_pylist()
    found: dict[str, Any] = next(row for row in rows if row["repo"] == repo)
    return found


@pytest.mark.parametrize("repo", list(cases()))
def test_repository_has_the_licence_its_files_state(prepared: Prepared, repo: str) -> None:
    _, expression, license_type = cases()[repo]
    found = verdict(prepared, repo)
    assert found["license_type"] == license_type, found
    if repo != "shut/commons":  # which of ScanCode's names it has is not ours to say
        assert found["license"] == expression


def test_keeps_permissive_repositories_and_drops_the_others(prepared: Prepared) -> None:
    stage = License()
    for name, outcome in prepared.apply(stage).items():
        check(stage, prepared.shards[name], outcome, name)
        assert {repo.split("/")[0] for repo in outcome.kept["repo"].to_pylist()} == {"ok"}
        assert set(outcome.kept["license_type"].to_pylist()) == {"permissive"}
    reasons = {row["repo"].split("/")[0]: row["reason"] for row in outcome.decisions.to_pylist()}
    assert reasons.items() <= {
        "weak": "weak_copyleft", "left": "copyleft", "shut": "non_free", "doubt": "unknown_license",
        "none": "no_license",
    }.items()  # fmt: skip


def test_keep_says_which_types_go_on(prepared: Prepared) -> None:
    kept = prepared.apply(License(keep=["no_license", "copyleft"]))["00000"]
    assert set(kept.kept["license_type"].to_pylist()) == {"no_license", "copyleft"}
    assert "permissive" in kept.decisions["reason"].to_pylist()
    with pytest.raises(ValidationError):
        License.model_validate({"keep": ["free"]})
    with pytest.raises(ValidationError):
        License(keep=[])


def test_a_drop_names_the_licence_and_its_file(prepared: Prepared) -> None:
    stage = License()
    said = {row["repo"]: stage.explain(row) for row in prepared.apply(stage)["00000"].decisions.to_pylist()}
    assert said["left/bundled"] == (
        "its repository is licensed under GPL-3.0-only AND MIT (read from COPYING3), which is copyleft"
    )
    assert said["none/readme"] == "its repository has no licence file"
    begin = "its repository's licence is not known for certain, because its file LICENSE "
    added = cases()["doubt/added"][0]["LICENSE"].split("This may not")[0].count("\n") + 1
    assert said["doubt/added"] == begin + f"adds terms of its own in line {added}"
    assert said["doubt/own"] == begin + "is not a licence text that ScanCode knows"
    assert said["doubt/long"] == begin + f"has more than {MAX_CHARACTERS} characters"


def test_evidence_holds_places_and_scores_but_no_text(prepared: Prepared) -> None:
    evidence = verdict(prepared, "ok/rust")["evidence"]
    assert {term["path"] for term in json.loads(evidence)} == {"LICENSE-APACHE", "LICENSE-MIT"}
    assert all(term["score"] >= 70 and term["line"] >= 1 for term in json.loads(evidence))
    assert "Jane" not in evidence


def test_slices_and_empty_shards_are_judged_alike(prepared: Prepared) -> None:
    stage, shard, side = License(), prepared.shards["00000"], prepared.side.for_shard("00000")
    whole = stage.apply(shard, side)
    parts = [stage.apply(shard.slice(at, 7), side) for at in range(0, shard.num_rows + 7, 7)]
    assert pa.concat_tables([part.kept for part in parts]).equals(whole.kept)
    assert pa.concat_tables([part.decisions for part in parts]).equals(whole.decisions)


def test_progress_is_told(prepared: Prepared) -> None:
    assert prepared.progress[:2] == [(1, 2), (2, 2)]
    assert len(prepared.progress) > 2


def test_without_licence_files_the_index_is_not_loaded(tmp_path: Path) -> None:
    found = prepare(tmp_path, {"00000": documents([("a/b", "README.md", "MIT"), ("a/b", "src/LICENSE", "MIT")])})
    assert found.progress == [(1, 1)]
    assert found.side.get_shard("licenses", shard="00000")["license_type"].to_pylist() == ["no_license"]


def test_a_text_that_takes_too_long_is_unknown(prepared: Prepared, tmp_path: Path) -> None:
    (term,) = Scancode(tmp_path).read(HOLDER + body("mit"), deadline=-1.0)
    assert (term.license_type, term.problem) == ("unknown", "could not be read within -1 seconds")


def test_scancode_needs_no_home_and_leaves_nothing_behind(tmp_path: Path) -> None:
    program = """
import sys, tempfile
from pathlib import Path
from stages.scancode import folders
tempfile.tempdir = "/dev/null"
with folders(Path(sys.argv[1])):
    import scancode_config
print(scancode_config.scancode_cache_dir, scancode_config.scancode_temp_dir, sep="\\n")
"""
    command = [sys.executable, "-c", program, str(tmp_path)]
    env = {**os.environ, "HOME": "/dev/null"}  # no folder can be made below a device
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert all(Path(folder).is_relative_to(tmp_path) for folder in done.stdout.split())


def term(expression: str, license_type: str) -> Term:
    return Term(expression, license_type, 1, 100.0, "")


def test_terms_hold_together_and_the_strictest_decides() -> None:
    choice, lgpl = term("MIT OR GPL-2.0-only", "permissive"), term("LGPL-2.1-only", "weak_copyleft")
    assert judge([("LICENSE", False, [choice])]).license == "MIT OR GPL-2.0-only"
    joined = judge([("LICENSE", False, [choice, lgpl]), ("LICENSE.md", False, [lgpl])])
    assert (joined.license, joined.license_type) == ("(MIT OR GPL-2.0-only) AND LGPL-2.1-only", "weak_copyleft")
    assert judge([("LICENSE", False, [term("X", "unknown"), term("GPL", "copyleft")])]).license_type == "unknown"
    assert judge([("LICENSE", False, [term("X", "unknown"), term("EULA", "non_free")])]).license_type == "non_free"
    assert judge([("NOTICE", True, [term("X", "unknown")])]).license_type == "no_license"


@pytest.mark.parametrize(
    "path",
    [
        "LICENSE",
        "LICENCE",
        "license.md",
        "LICENSE.txt",
        "LICENSE-MIT",
        "LICENSE-APACHE-2.0.txt",
        "LICENSE.Apache-2.0",
        "LICENSE_1_0.txt",
        "COPYING",
        "COPYING.LESSER",
        "COPYING.LIB",
        "COPYING3",
        "COPYING.GPLv2",
        "COPYLEFT",
        "UNLICENSE",
        "MIT-LICENSE.txt",
        "Apache_License_2.0.txt",
        "gpl-3.0.txt",
        "MIT",
        "LICENSES",
        "LICENSES/MIT.txt",
        "LICENSES/preferred/GPL-2.0",
    ],
)
def test_is_a_licence_file(path: str) -> None:
    assert kind_of(path) == "license"


@pytest.mark.parametrize(
    "path",
    [
        "license.py",
        "License.java",
        "license-checker.js",
        "license.json",
        "licensing.md",
        "README.md",
        "licenses/MIT.txt",
        "src/LICENSE",
        "gplot.py",
        "bsd.c",
        "Copyright.java",
        "notice.tsx",
        "LICENSES/README.md",
    ],
)
def test_is_no_licence_file(path: str) -> None:
    assert kind_of(path) is None


@pytest.mark.parametrize(
    "path",
    [
        "NOTICE",
        "NOTICE.txt",
        "COPYRIGHT",
        "LEGAL.md",
        "ThirdPartyNotices.txt",
        "THIRD-PARTY-NOTICES",
        "LICENSE-3RD-PARTY.txt",
        "LICENSES_bundled.txt",
        "third_party_licenses.md",
    ],
)
def test_only_supports(path: str) -> None:
    assert kind_of(path) == "supporting"
