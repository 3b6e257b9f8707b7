"""The Ray executor: one actor a CPU, each keeping its models loaded, items handed out as actors come free.

A killed actor is started again and its item tried again; an item that keeps killing its worker, or raises, ends the
map with an error that names it. Nothing is ever skipped.
"""

from __future__ import annotations

import logging
import os
import socket
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from pipeline import memory
from pipeline.errors import QuarryError, RunFailed, UsageError
from pipeline.side import Worker

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Ray's own use of deprecated modules says nothing to our users
    import ray
    from ray._private.authentication.authentication_token_setup import maybe_enable_token_auth_if_token_available
    from ray.exceptions import RayActorError, RayTaskError

T = TypeVar("T")
CONTROL = "control"  # Ray's concurrency group
STOP_S = 3.0  # that tasks which wait have to end what they started, before their actor is killed
LIVES = 3  # how often an item may lose its worker before the run fails


class _Actor:
    """A worker process."""

    def __init__(self) -> None:
        memory.share_one_allocator()
        self.worker = Worker()

    def run(self, task: Callable[[Any, Worker], T], item: Any) -> T:
        try:
            return task(item, self.worker)
        finally:
            memory.give_back()

    def stop(self) -> None:
        self.worker.stopping.set()


class RayExecutor:
    """Ray actors on this machine, or on the cluster at `address`; see pipeline.side.Executor. A context manager."""

    def __init__(self, workers: int | None = None, address: str | None = None) -> None:
        self._asked = workers
        self.workers = workers or 1
        self._address = address
        self._actors: list[Any] = []
        self._kind = (0.0, 1)  # of the pool's actors: GPUs, items at once

    def __enter__(self) -> RayExecutor:
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
        quiet = {"log_to_driver": False, "logging_level": logging.ERROR, "include_dashboard": False}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if self._address:
                    _reachable(self._address)
                    del quiet["include_dashboard"]
                    # 'ray start' demands a token where the user has one; Ray sends it to an address given by name
                    # only when told so.
                    maybe_enable_token_auth_if_token_available(warn_if_disabled=False)
                    ray.init(address=self._address, **quiet)
                else:
                    # --workers counts processes, and may be more than the machine has cores.
                    with memory.large_blocks_apart():
                        ray.init(address="local", num_cpus=self._asked or os.cpu_count(), **quiet)
        except Exception as error:  # bare ones too, where a part of Ray does not come up in time
            raise UsageError(f"Ray does not start at '{self._address or 'this machine'}' ({error}).") from None
        cpus = int(ray.cluster_resources().get("CPU", 1))
        self.workers = min(self._asked or cpus, cpus)
        return self

    def __exit__(self, *_: object) -> None:
        self._actors = []
        ray.shutdown()

    def map(
        self,
        task: Callable[[Any, Worker], T],
        items: Iterable[Any],
        *,
        alone: bool = False,
        gpus: float = 0.0,
        at_once: int = 1,
    ) -> Iterator[tuple[int, T]]:
        waiting = list(enumerate(items))
        if not waiting:
            return
        if gpus > ray.cluster_resources().get("GPU", 0):
            raise UsageError(
                f"a stage asks for {gpus:g} GPUs a worker, and Ray has fewer; set the stage to use the CPU."
            )
        actors = [self._start(gpus, at_once, cpus=0)] if alone else self._pool(gpus, at_once, len(waiting))
        shared = ray.put(task)
        free, lives = actors * at_once, dict.fromkeys(range(len(waiting)), LIVES)
        running: dict[Any, tuple[int, Any, Any]] = {}
        replaced: dict[Any, Any] = {}  # an actor that died -> the one in its place
        waiting.reverse()
        try:
            while waiting or running:
                while free and waiting:
                    index, item = waiting.pop()
                    actor = free.pop()
                    running[actor.run.remote(shared, item)] = (index, item, actor)
                done, _ = ray.wait(list(running))
                for ready in done:
                    index, item, actor = running.pop(ready)
                    try:
                        result = ray.get(ready)
                    except RayActorError:
                        lives[index] -= 1
                        if lives[index] == 0:
                            raise RunFailed(
                                f"{_shown(item)} lost its worker {LIVES} times (killed, or out of memory); "
                                "give the machine more memory or fewer workers and run again."
                            ) from None
                        waiting.append((index, item))
                        if actor not in replaced:  # it may have lost several items
                            replaced[actor] = self._replace(actor, gpus, at_once, alone)
                            free = [replaced[actor] if other == actor else other for other in free]
                        free.append(replaced[actor])
                        continue
                    except RayTaskError as error:
                        raise _cause(error) from None
                    free.append(actor)
                    yield index, result
        finally:
            # Closed after __exit__, which ended the actors, a call of Ray's would join or start a cluster.
            if alone and ray.is_initialized():
                for actor in free + [actor for _, _, actor in running.values()]:
                    ray.kill(actor)
            elif running and ray.is_initialized():  # an error or an interrupt: what is still running is not wanted
                if at_once > 1:
                    told = [actor.stop.options(concurrency_group=CONTROL).remote() for actor in self._actors]
                    ray.wait([*told, *running], num_returns=len(told) + len(running), timeout=STOP_S)
                self._stop()

    def _pool(self, gpus: float, at_once: int, wanted: int) -> list[Any]:
        if (gpus, at_once) != self._kind:
            self._stop()
            self._kind = (gpus, at_once)
        while len(self._actors) < min(self.workers, wanted):
            self._actors.append(self._start(gpus, at_once))
        return list(self._actors)

    def _start(self, gpus: float, at_once: int, cpus: int = 1) -> Any:
        options: dict[str, Any] = {"num_cpus": cpus, "num_gpus": gpus, "max_concurrency": at_once}
        if at_once > 1:  # a thread of its own for `stop`, which must not wait behind the tasks
            options["concurrency_groups"] = {CONTROL: 1}
        return ray.remote(**options)(_Actor).remote()

    def _replace(self, dead: Any, gpus: float, at_once: int, alone: bool) -> Any:
        fresh = self._start(gpus, at_once, cpus=0 if alone else 1)
        if not alone:
            self._actors[self._actors.index(dead)] = fresh
        return fresh

    def _stop(self) -> None:
        for actor in self._actors:
            ray.kill(actor)
        self._actors = []


def _cause(error: RayTaskError) -> BaseException:
    """The exception the task raised: ours as it is, a bug with the traceback of the worker as its note."""
    cause: BaseException = error.cause
    if isinstance(cause, QuarryError):
        return cause
    cause.add_note(str(error))
    return cause


def _shown(item: Any) -> str:
    text = str(item)
    return text if len(text) <= 80 else text[:77] + "..."


def _reachable(address: str) -> None:
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if address == "auto":
        return
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except (OSError, ValueError):
        raise UsageError(
            f"there is no Ray cluster at '{address}'; start one with 'ray start --head', or leave --ray out."
        ) from None
