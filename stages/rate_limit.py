"""Keeps all threads of a process within a host's limits of requests, as GitHub documents them for its REST API.

The primary limit is a number of requests a window, told in the x-ratelimit-* headers of every answer; the secondary
ones are told only by a refusal, and kept off by pacing. Whoever has to wait holds the gate, so that nobody sends
meanwhile. https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import inf
from threading import Condition, Event, Lock

from pipeline.errors import RunFailed

PAUSE_S = 60.0  # after a refusal that does not say how long; twice as long after each one that follows
REFUSED = (403, 429)


class Stopped(Exception):
    """The request is not wanted any more."""


class Clock:
    """The time, and a sleep that ends at once when `stop` is called."""

    def __init__(self) -> None:
        self._stopped = Event()

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Raises Stopped where `stop` was called, be it before or meanwhile."""
        if self._stopped.wait(seconds):
            raise Stopped

    def stop(self) -> None:
        self._stopped.set()


@dataclass
class _Window:
    """What is known of one primary limit. The first request goes alone, and learns how many may follow."""

    remaining: float = 1
    reset: float = 0.0  # seconds since the epoch, by the host's clock
    in_flight: int = 0

    @property
    def is_open(self) -> bool:
        """Whether another request is surely within the limit; those in flight may not be counted yet."""
        return self.remaining > self.in_flight


class RateLimit:
    """A gate: `enter` before a request, waiting if need be, and `leave` with its answer. Threads share it."""

    def __init__(
        self, clock: Clock, max_wait_s: float, requests_a_minute: int, on_wait: Callable[[str], None] | None = None
    ) -> None:
        """`max_wait_s` is the longest single wait; `on_wait` is told, in a sentence, of waits for a limit."""
        self._clock, self._max_wait_s, self._spacing = clock, max_wait_s, 60.0 / requests_a_minute
        self._on_wait = on_wait
        self._gate, self._state = Lock(), Condition()
        self._windows: dict[str, _Window] = defaultdict(_Window)
        self._skew = 0.0  # what the host's clock is ahead of ours
        self._next = 0.0  # by our clock, when pacing lets the next request go
        self._paused_until = 0.0  # by our clock
        self._pauses = 0  # so far
        self._refusals = 0  # in a row, that did not say how long to wait

    def enter(self, resource: str) -> int:
        """Wait until a request on `resource` (the host counts search apart) may be sent; the result goes to `leave`.

        Raises RunFailed, which says when to try again, where that is more than `max_wait_s` ahead.
        """
        with self._gate:
            self._clock.sleep(0)  # which raises where the request is not wanted any more
            while (seconds := self._take(resource)) > 0:
                self._clock.sleep(seconds)
            return self._pauses

    def leave(self, resource: str, entered: int, status: int, headers: Mapping[str, str], message: str) -> bool:
        """Learn from an answer, or from none (status 0); True where it is the refusal of a limit."""
        with self._state:
            window = self._windows[resource]
            window.in_flight -= 1
            self._state.notify_all()
            if status == 0:
                return False
            self._learn(window, headers)
            if not _is_refusal(status, headers, message):
                if entered == self._pauses:
                    self._refusals = 0
                return False
            if headers.get("x-ratelimit-remaining") == "0" and window.reset > self._clock.now() + self._skew:
                window.remaining = 0
            self._pause(window, entered, _number(headers, "retry-after"))
            return True

    def _take(self, resource: str) -> float:
        """Seconds to wait; 0 where the request may go, and counts as in flight from now on."""
        with self._state:
            window = self._windows[resource]
            self._state.wait_for(lambda: window.is_open or window.in_flight == 0)
            now = self._clock.now()
            limited_until = max(self._paused_until, 0.0 if window.is_open else window.reset - self._skew)
            if limited_until > now:
                self._tell(limited_until, limited_until - now)
                return limited_until - now
            if self._next > now:
                return self._next - now
            window.in_flight += 1
            self._next = now + self._spacing
            return 0.0

    def _learn(self, window: _Window, headers: Mapping[str, str]) -> None:
        if date := headers.get("date"):
            self._skew = parsedate_to_datetime(date).timestamp() - self._clock.now()
        remaining, reset = _number(headers, "x-ratelimit-remaining"), _number(headers, "x-ratelimit-reset")
        if remaining is None or reset is None:
            if window.reset == 0.0:
                window.remaining = inf  # a host without limits
        elif reset > window.reset:
            window.remaining, window.reset = remaining, reset
        elif reset == window.reset:  # answers may overtake each other
            window.remaining = min(window.remaining, remaining)

    def _pause(self, window: _Window, entered: int, retry_after: float | None) -> None:
        """Let nobody send for a while. Refusals of requests that were under way together are one."""
        now = self._clock.now()
        if retry_after is not None:
            self._paused_until = max(self._paused_until, now + retry_after)
        elif window.is_open or window.reset <= now + self._skew:  # else the window's reset is what to wait for
            if entered != self._pauses:
                return
            self._paused_until = max(self._paused_until, now + PAUSE_S * 2**self._refusals)
            self._refusals += 1
        if entered == self._pauses:
            self._pauses += 1

    def _tell(self, until: float, seconds: float) -> None:
        at = datetime.fromtimestamp(until + self._skew, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        if seconds > self._max_wait_s:
            raise RunFailed(
                f"the host takes no more requests before {at}, which is longer than max_wait_s "
                f"({self._max_wait_s:g} s) lets it wait; run again then."
            )
        if self._on_wait:
            self._on_wait(f"the host's limit of requests is reached; waiting until {at}.")


def _is_refusal(status: int, headers: Mapping[str, str], message: str) -> bool:
    """Whether it is a limit that speaks, and not a repository that may not be seen."""
    if status not in REFUSED:
        return False
    said = message.lower()
    told = "retry-after" in headers or headers.get("x-ratelimit-remaining") == "0"
    return status == 429 or told or "rate limit" in said or "abuse detection" in said


def _number(headers: Mapping[str, str], name: str) -> float | None:
    value = headers.get(name, "")
    return float(value) if value.isascii() and value.isdigit() else None
