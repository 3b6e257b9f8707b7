"""Deduplicate on files made to mislead it: what stays of each kind (docs/decisions/deduplicate-adversarial.md).

Every kind is judged as one shard and as four, their rows and the shards in any order, with one and the same outcome.
Each drop is checked against a plain-Python reference, and what stays against comparing all pairs.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple, Protocol

import pyarrow as pa
import pytest

from pipeline.side import Side
from pipeline.stage import Outcome
from stages.deduplicate import Deduplicate
from tests.adversarial import (
    APACHE,
    ISC,
    code,
    commented,
    constants,
    crowd,
    csv,
    header,
    hub_and_spokes,
    lock_file,
    minified,
    records,
    renamed,
    stamped,
    text_of,
    windows,
)
from tests.test_shingles import tokens_of

STAGE = Deduplicate(bands=42, rows=6)

Shingles = frozenset[tuple[bytes, ...]]


def shingles_of(text: str) -> Shingles:
    tokens = tokens_of(text)
    return frozenset(zip(*(tokens[start:] for start in range(STAGE.ngram)), strict=False))


def jaccard(one: Shingles, other: Shingles) -> float:
    shared = len(one & other)
    return shared / max(1, len(one) + len(other) - shared)


def jaccard_of(one: str, other: str) -> float:
    return jaccard(shingles_of(one), shingles_of(other))


def id_of(number: int) -> str:
    return blake2b(str(number).encode(), digest_size=16).hexdigest()


def documents(texts: Sequence[str], stars: Sequence[int], numbers: Sequence[int]) -> pa.Table:
    """The files `numbers`, as rows."""
    known: dict[str, list[Any]] = {
        "id": [id_of(number) for number in numbers],
        "repo": [f"owner/repository-{number}" for number in numbers],
        "path": [f"src/{number}.c" for number in numbers],
        "license_type": ["permissive"] * len(numbers),
        "stars": [stars[number] for number in numbers],
        "text": [texts[number] for number in numbers],
    }
    unknown = [None] * len(numbers)
    return pa.table({field.name: pa.array(known.get(field.name, unknown), field.type) for field in STAGE.takes})


class Drop(NamedTuple):
    canonical: int
    jaccard: float
    reason: str


class Verdict(NamedTuple):
    """What became of the files, by their numbers."""

    kept: list[int]  # ascending
    drops: dict[int, Drop]
    counts: dict[str, int]  # of the last run


class Judge(Protocol):
    def __call__(self, texts: Sequence[str], stars: Sequence[int] | None = None, all_pairs: bool = True) -> Verdict: ...


@pytest.fixture
def judge(run_stage: Callable[[Deduplicate, Sequence[pa.Table]], list[Outcome]], side: Side) -> Judge:
    """Judges files in three packings (thousands in two), and checks the outcome against plain Python.

    File 0 ranks best, then file 1, and so on, unless `stars` say otherwise. Without `all_pairs` it is checked that what
    is dropped may be dropped, but not that what is kept must be kept.
    """

    def judge(texts: Sequence[str], stars: Sequence[int] | None = None, all_pairs: bool = True) -> Verdict:
        stars = stars or range(len(texts), 0, -1)
        mixed = random.Random(len(texts)).sample(range(len(texts)), len(texts))
        shards = [mixed[0::4], mixed[1::4], [], mixed[2::4] + mixed[3::4]]
        packings = [[list(range(len(texts)))], shards, shards[::-1]][: 2 if len(texts) > 2_000 else 3]
        outcomes = [run_stage(STAGE, [documents(texts, stars, shard) for shard in packing]) for packing in packings]
        verdict, *others = (verdict_of(outcome, len(texts)) for outcome in outcomes)
        assert all(other == verdict for other in others), "shards or their order decide"
        check(texts, stars, verdict, all_pairs)
        return verdict._replace(counts=json.loads(side.get_bytes("counts.json")))

    return judge


def verdict_of(outcomes: Sequence[Outcome], count: int) -> Verdict:
    number_of = {id_of(number): number for number in range(count)}
    kept = sorted(number_of[name] for outcome in outcomes for name in outcome.kept["id"].to_pylist())
    drops = {}
    for row in (row for outcome in outcomes for row in outcome.decisions.to_pylist()):
        detail = json.loads(row["detail"])
        canonical = number_of[detail["canonical"]]
        assert detail["canonical_repo"] == f"owner/repository-{canonical}"
        assert detail["canonical_path"] == f"src/{canonical}.c"
        drops[number_of[row["id"]]] = Drop(canonical, detail["jaccard"], row["reason"])
    assert sorted([*kept, *drops]) == list(range(count))
    return Verdict(kept, drops, {})


def check(texts: Sequence[str], stars: Sequence[int], verdict: Verdict, all_pairs: bool) -> None:
    """Every dropped file resembles the better ranked, kept one it cites; every kept file resembles no such one."""
    kept: dict[int, Shingles] = {}
    for number in sorted(range(len(texts)), key=lambda number: (-stars[number], id_of(number))):
        own = shingles_of(texts[number])
        if drop := verdict.drops.get(number):
            assert drop.canonical in kept, f"{number} cites {drop.canonical}, which is not kept or ranks below it"
            equal = texts[number] == texts[drop.canonical]
            similarity = 1.0 if equal else jaccard(own, kept[drop.canonical])
            assert similarity >= STAGE.threshold
            assert drop == (drop.canonical, round(similarity, 4), "exact_duplicate" if equal else "near_duplicate")
            continue
        if all_pairs:
            near = [o for o in kept if texts[o] == texts[number] or jaccard(own, kept[o]) >= STAGE.threshold]
            assert not near, f"{number} is kept although it resembles {near}"
        kept[number] = own


# --- crowds


def test_thousands_of_files_of_one_template_leave_the_best_ranked(judge: Judge) -> None:
    verdict = judge(stamped(5_000))
    assert verdict.kept == [0]
    assert verdict.counts["candidates"] < 25 * 5_000


def test_a_crowd_that_shares_sixty_percent_of_its_lines_stays(judge: Judge) -> None:
    texts = crowd(5_000, own=12)
    assert all(0.4 < jaccard_of(texts[0], text) < 0.5 for text in texts[1:20])
    verdict = judge(texts, all_pairs=False)
    assert len(verdict.kept) == 5_000
    assert verdict.counts["candidates"] < 0.6 * 5_000**2 / 2  # a pair shares a band with a chance of about 0.2


def test_a_crowd_just_below_the_threshold_stays_and_copies_in_it_are_found(judge: Judge) -> None:
    texts = crowd(500, own=6)
    assert all(0.65 < jaccard_of(texts[0], text) < 0.7 for text in texts[1:])
    copies = [text.replace("\n", f"// copy {n}\n", 1) for n, text in enumerate(texts[::10])]
    verdict = judge(texts + copies, all_pairs=False)
    assert {number: drop.canonical for number, drop in verdict.drops.items()} == {500 + n: 10 * n for n in range(50)}


def test_thousands_of_equal_files_leave_the_best_ranked(judge: Judge) -> None:
    verdict = judge([text_of(code(1))] * 5_000)
    assert verdict.kept == [0]
    assert {drop.reason for drop in verdict.drops.values()} == {"exact_duplicate"}
    assert verdict.counts["candidates"] < 10 * 5_000


def test_thousands_of_equal_shingle_sets_leave_the_best_ranked(judge: Judge) -> None:
    lines = code(1)
    verdict = judge([text_of([*lines[: n % 60], *[""] * (n // 60 + 1), *lines[n % 60 :]]) for n in range(3_000)])
    assert verdict.kept == [0]
    assert {(drop.jaccard, drop.reason) for drop in verdict.drops.values()} == {(1.0, "near_duplicate")}
    assert verdict.counts["candidates"] < 10 * 3_000


# --- chains, hubs, rings, ties


def test_the_ends_of_a_chain_stay_and_its_middle_goes(judge: Judge) -> None:
    a, b, c = windows(3)
    assert judge([a, b, c]).kept == [0, 2]
    assert judge([b, a, c]).kept == [0]  # a middle that ranks best stands for both ends


def test_a_long_chain_keeps_every_file_that_resembles_no_kept_one(judge: Judge) -> None:
    texts = windows(30)
    assert min(map(jaccard_of, texts, texts[1:])) > 0.75  # so connected components would leave one
    assert judge(texts).kept == list(range(0, 30, 2))
    for seed in (1, 2):  # in other orders too, what stays is the first maximal independent set: judge holds it to that
        assert len(judge(random.Random(seed).sample(texts, 30)).kept) >= 10


@pytest.mark.parametrize(("count", "kept"), [(12, [0, 2, 4, 6, 8, 10]), (13, [0, 2, 4, 6, 8, 10])])
def test_a_ring_keeps_no_neighbours(judge: Judge, count: int, kept: list[int]) -> None:
    texts = windows(count, ring=True)
    assert jaccard_of(texts[-1], texts[0]) > 0.75
    assert judge(texts).kept == kept


def test_a_hub_stands_for_its_spokes_only_where_it_stays(judge: Judge) -> None:
    hub, *spokes = hub_and_spokes(100)
    assert judge([hub, *spokes]).kept == [0]
    assert judge([*spokes, hub]).kept == list(range(100))
    above = text_of(hub.splitlines()[:64])
    assert jaccard_of(above, hub) > 0.75
    verdict = judge([above, hub, *spokes])  # the hub falls, and its spokes resemble nothing else
    assert verdict.kept == [0, *range(2, 102)]


def test_of_equal_rank_the_least_id_stays(judge: Judge) -> None:
    texts = stamped(50)
    assert judge(texts, stars=[7] * 50).kept == [min(range(50), key=id_of)]
    assert judge(texts[:1] * 50, stars=[7] * 50).kept == [min(range(50), key=id_of)]


# --- licence headers


def test_files_of_a_licence_header_only_leave_one_a_licence(judge: Judge) -> None:
    assert judge([header(licence, n) for n in range(100) for licence in (APACHE, ISC)]).kept == [0, 1]


def test_a_header_above_a_few_lines_of_different_code_collapses_nothing(judge: Judge) -> None:
    texts = [header(APACHE, n) + text_of(code(n, 5)) for n in range(60)]
    assert jaccard_of(texts[0], texts[1]) > 0.5
    assert len(judge(texts).kept) == 60


def test_a_header_above_a_single_line_outweighs_it(judge: Judge) -> None:
    texts = [header(APACHE, 1) + text_of(code(n, 1)) for n in range(100)]
    assert judge(texts).kept == [0]


def test_a_header_above_much_code_is_no_difference_and_no_likeness(judge: Judge) -> None:
    files = [text_of(code(n, 200)) for n in range(20)]
    texts = [header(licence, n) + file for licence in (APACHE, ISC) for n, file in enumerate(files)]
    assert judge(texts + files).kept == list(range(20))


# --- minified, large and small files


def test_minified_builds_collapse_unless_all_names_differ(judge: Judge) -> None:
    build, library = minified(1), minified(2)
    assert "\n" not in build
    texts = [build, renamed(build, 0.01), library, renamed(build, 1.0)]
    assert judge(texts).kept == [0, 2, 3]


def test_files_of_five_megabytes_are_compared_whole(judge: Judge) -> None:
    lines = [f"row{number:036d} value{number * 7:034d}" for number in range(60_000)]
    half, edited = lines[:30_000], lines[:-60] + code(1)
    texts = [text_of(lines), text_of(edited), text_of(half), "x" * 5_000_000]
    assert len(texts[0]) > 4_500_000
    assert judge(texts).kept == [0, 2, 3]


def test_files_shorter_than_a_shingle_collapse_only_when_equal(judge: Judge) -> None:
    texts = ["", " ", "\n", "\n\n", "\t", "\r\n", "\ufeff", "x", "x\n", "x y", "y x", "{}", "{ }", "a.b", "é", "#"]
    verdict = judge([*texts, *texts])
    assert verdict.kept == list(range(len(texts)))
    assert {drop.reason for drop in verdict.drops.values()} == {"exact_duplicate"}


def test_files_of_one_shingle_collapse_only_with_the_same_tokens(judge: Judge) -> None:
    texts = [f"import one two three four{n}\n" for n in range(100)]
    verdict = judge([*texts, *(text.replace(" ", "  ") for text in texts)])
    assert verdict.kept == list(range(100))
    assert verdict.drops == {100 + n: Drop(n, 1.0, "near_duplicate") for n in range(100)}


# --- data


def test_lock_files_with_other_versions_stay_and_with_few_bumped_collapse(judge: Judge) -> None:
    texts = [lock_file(80, versions) for versions in range(30)]
    bumped = [lock_file(80, versions, bumped=2) for versions in range(30)]
    assert judge(texts + bumped).kept == list(range(30))


def test_json_records_with_the_same_keys_stay(judge: Judge) -> None:
    assert len(judge([records(n) for n in range(50)]).kept) == 50


def test_tables_stay_and_a_table_with_a_few_rows_more_collapses(judge: Judge) -> None:
    texts = [csv(n) for n in range(30)]
    longer = [csv(n, rows=105) for n in range(30)]
    assert judge(texts + longer).kept == list(range(30))


# --- files that differ in one respect only


def test_tables_of_other_numbers_stay_and_one_number_changed_collapses(judge: Judge) -> None:
    texts = [constants(n) for n in range(30)]
    changed = [re.sub(r"\d+,", "7777777,", text, count=1) for text in texts]
    assert judge(texts + changed).kept == list(range(30))
    numbered = [re.sub(r"(\d)\)", rf"\g<1>{n})", text_of(code(1))) for n in range(20)]  # the last word of each line
    assert len(judge(numbered).kept) == 20


def test_one_renamed_identifier_collapses_and_all_renamed_stay(judge: Judge) -> None:
    text = text_of(code(1))
    assert judge([text, renamed(text, 0.01), renamed(text, 1.0)]).kept == [0, 2]


def test_a_few_other_comments_collapse_and_many_stay(judge: Judge) -> None:
    assert judge([commented(n, every=20) for n in range(20)]).kept == [0]
    assert len(judge([commented(n, every=2) for n in range(20)]).kept) == 20


def test_white_space_is_no_difference(judge: Judge) -> None:
    text = text_of(code(1))
    others = [
        text.replace("    ", "\t"),
        text.replace("\n", "\r\n"),
        text.replace("\n", " \n\n"),
        text.replace(" = ", "="),
        text.replace("\n", "\f\v"),
    ]
    assert judge([text, *others]).drops == {n: Drop(0, 1.0, "near_duplicate") for n in range(1, 6)}


def test_files_that_differ_in_signs_only(judge: Judge) -> None:
    text = text_of(code(1))
    others = [text.replace("=", "+=").replace("(", "["), text.replace(", ", " + ").replace("=", "<")]
    assert judge([text, *others]).kept == [0, 1, 2]
    assert judge([constants(1), constants(1, signs=1), constants(1, signs=2)]).kept == [0]
    quotes = text.replace("(", "('").replace(",", "',")
    assert judge([quotes, quotes.replace("'", '"'), quotes.replace(";", "")]).kept == [0]


def test_files_of_signs_only_stay(judge: Judge) -> None:
    draw = random.Random(1)
    assert len(judge(["".join(draw.choices("+-<>[].,", k=2_000)) for _ in range(20)]).kept) == 20


# --- sets and bytes


def test_repeating_the_same_lines_is_no_difference(judge: Judge) -> None:
    lines = code(1)
    assert judge([text_of(lines * times) for times in (2, 3, 10)]).drops == {
        n: Drop(0, 1.0, "near_duplicate") for n in (1, 2)
    }


def test_a_file_that_holds_another_stays(judge: Judge) -> None:
    lines = code(1, 200)
    assert judge([text_of(lines[:100]), text_of(lines)]).kept == [0, 1]


def test_comments_in_scripts_beyond_ascii_are_words(judge: Judge) -> None:
    draw = random.Random(1)

    def commented_in(script: int) -> str:
        words = ("".join(chr(script + draw.randrange(20)) for _ in range(6)) for _ in range(60 * 5))
        return text_of([f"{line} // {' '.join(next(words) for _ in range(5))}" for line in code(1)])

    greek, russian, chinese = 0x3B1, 0x430, 0x4E00
    assert judge([commented_in(script) for script in (greek, russian, chinese)]).kept == [0, 1, 2]


def test_a_byte_order_mark_and_null_bytes_are_hardly_a_difference(judge: Judge) -> None:
    text = text_of(code(1))
    lines = text.splitlines()
    verdict = judge([text, "\ufeff" + text, text + "\0" * 100, text_of([*lines[:30], "\0", *lines[30:]])])
    assert verdict.kept == [0]
