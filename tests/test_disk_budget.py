"""Clones stay within their budget of disk: the youngest give way and come back, and no dead process's clone counts."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread

import pytest

from stages.disk_budget import CloneFolder, DiskBudget, NoRoom, TooLarge
from stages.git import Stopped


def write(clone: CloneFolder, size: int) -> None:
    """As if git had written `size` bytes of a pack."""
    pack = clone.path / "objects/pack"
    pack.mkdir(parents=True, exist_ok=True)
    (pack / "tmp_pack_X").write_bytes(bytes(size))


def budget(tmp_path: Path, together: int | None = 100, one: int = 1000) -> DiskBudget:
    return DiskBudget(tmp_path / "scratch", one, together, Event())


def test_the_youngest_give_way_as_far_as_it_takes(tmp_path: Path) -> None:
    clones = budget(tmp_path)
    with ExitStack() as stack:
        oldest, middle, youngest = (stack.enter_context(clones.folder(since, 0)) for since in (1, 2, 3))
        for clone in (oldest, middle, youngest):
            write(clone, 40)
        clones.check(oldest)
        clones.check(middle)
        with pytest.raises(NoRoom) as raised:
            clones.check(youngest)
        assert raised.value.size == 40
        write(oldest, 70)
        for clone in (middle, youngest):
            with pytest.raises(NoRoom):
                clones.check(clone)
        clones.check(oldest)
        assert clones.complete(youngest) == 40  # what is complete is there to be read, and counts before all others
        write(oldest, 61)
        with pytest.raises(NoRoom):
            clones.check(oldest)
    assert list(clones.scratch.iterdir()) == []


def test_a_clone_comes_back_when_there_is_room_for_what_it_had(tmp_path: Path) -> None:
    clones, came = budget(tmp_path), Event()

    def come_back() -> None:
        with clones.folder(2, 50):
            came.set()

    with clones.folder(1, 0) as other:
        write(other, 60)
        thread = Thread(target=come_back)
        thread.start()
        assert not came.wait(0.3)
        write(other, 40)
        assert came.wait(5)
    thread.join()


def test_a_clone_that_came_back_keeps_its_room(tmp_path: Path) -> None:
    clones = budget(tmp_path)
    with clones.folder(1, 50), clones.folder(2, 0) as other:
        write(other, 50)
        clones.check(other)
        write(other, 51)
        with pytest.raises(NoRoom):
            clones.check(other)


def test_waiting_ends_when_nobody_wants_the_result(tmp_path: Path) -> None:
    clones = budget(tmp_path)
    with clones.folder(1, 0) as other:
        write(other, 100)
        clones.stopping.set()
        with pytest.raises(Stopped), clones.folder(2, 0):
            pass


@pytest.mark.parametrize(
    ("one", "together", "limit", "transient"), [(50, 100, 50, False), (50, None, 50, False), (200, 100, 100, True)]
)
def test_one_clone_has_a_limit_which_passes_where_it_is_this_machines(
    tmp_path: Path, one: int, together: int | None, limit: int, transient: bool
) -> None:
    clones = budget(tmp_path, together, one)
    with clones.folder(1, 0) as clone:
        write(clone, limit)
        clones.check(clone)
        write(clone, limit + 1)
        for judge in (clones.check, clones.complete):
            with pytest.raises(TooLarge) as raised:
                judge(clone)
            assert raised.value.detail == {"limit": limit, "transient": transient}


def test_what_a_killed_process_left_is_removed_and_does_not_count(tmp_path: Path) -> None:
    clones = budget(tmp_path)
    script = (
        "import os, signal, sys; from pathlib import Path; from threading import Event\n"
        "from stages.disk_budget import DiskBudget\n"
        "with DiskBudget(Path(sys.argv[1]), 1000, 100, Event()).folder(0, 0) as clone:\n"
        "    (clone.path / 'objects/pack').mkdir(parents=True)\n"
        "    (clone.path / 'objects/pack/tmp_pack').write_bytes(bytes(100))\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    with clones.folder(1, 0) as mine:
        write(mine, 60)
        killed = subprocess.run([sys.executable, "-c", script, str(clones.scratch)], cwd=Path(__file__).parent.parent)
        assert killed.returncode == -9
        assert len(os.listdir(clones.scratch)) == 2
        clones.check(mine)  # the dead one is older, and would leave no room
        assert os.listdir(clones.scratch) == [mine.path.name]
    (clones.scratch / ".tmp-1-1-0").mkdir()
    with clones.folder(2, 0) as mine:
        assert os.listdir(clones.scratch) == [mine.path.name]
