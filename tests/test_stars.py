"""Stars: the limit itself stays, unknown is not few, and each decision says why."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.law import judge
from pipeline.side import Side
from pipeline.stage import Outcome
from stages.stars import Stars


def outcome(side: Side, stars: list[int | None], stage: Stars | None = None) -> Outcome:
    """What the stage makes of one document a repository, under the conservation law."""
    ids = pa.array([f"{row:032x}" for row in range(len(stars))], pa.string())
    shard = pa.table([ids, pa.array(stars, pa.int64())], schema=Stars.takes)
    return judge(stage or Stars(), "stars", shard, side)


def test_five_stars_stay_four_go_and_unknown_stays(side: Side) -> None:
    result = outcome(side, [4, 5, 6, 0, None])
    assert result.kept["stars"].to_pylist() == [5, 6, None]
    assert [Stars().explain(decision) for decision in result.decisions.to_pylist()] == [
        "its repository has fewer stars (4) than the 5 required",
        "its repository has fewer stars (0) than the 5 required",
    ]


def test_unknown_stars_go_where_the_recipe_says_so(side: Side) -> None:
    stage = Stars(min_stars=2, drop_unknown=True)
    result = outcome(side, [1, None, 2], stage)
    assert result.kept["stars"].to_pylist() == [2]
    assert [stage.explain(decision) for decision in result.decisions.to_pylist()] == [
        "its repository has fewer stars (1) than the 2 required",
        "it is not known how many stars its repository has, and 2 are required",
    ]


def test_a_limit_that_drops_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        Stars(min_stars=0)


@given(st.lists(st.none() | st.integers(0, 10)), st.integers(1, 10), st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_it_keeps_what_a_loop_would_keep(side: Side, stars: list[int | None], limit: int, drop_unknown: bool) -> None:
    result = outcome(side, stars, Stars(min_stars=limit, drop_unknown=drop_unknown))
    wanted = [count for count in stars if (not drop_unknown if count is None else count >= limit)]
    assert result.kept["stars"].to_pylist() == wanted
