"""Asks GitHub's REST API: with the token where it belongs, within the limits, again where it did not answer.

What can be answered is an Answer, whatever its status; what passes is retried here and then Unavailable; only what
makes all further requests useless ends the run. The token is in no message, log or repr.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple

import httpx

from pipeline.errors import RunFailed, UsageError
from stages.rate_limit import Clock, RateLimit

API = "https://api.github.com"
API_VERSION = "2022-11-28"
HOPS = 10  # redirects of one request
REFUSALS = 10  # of one request by limits, each after the wait that was asked for
BACKOFF_S = 60.0  # at most, between two tries
LOST = 10  # requests given up in a row, none answered between: the host does not work


class Unavailable(Exception):
    """The host did not answer, though asked several times; later it may. The text says how it failed."""


class Answer(NamedTuple):
    """What the host said."""

    status: int
    body: Any  # JSON; None where there is none, such as with 304
    etag: str | None
    next: str | None  # address of the next page

    @property
    def message(self) -> str:
        """The host's own words about an error."""
        said = self.body.get("message") if isinstance(self.body, dict) else None
        return said if isinstance(said, str) else f"HTTP {self.status}"


class Client:
    """A connection pool to one API, which threads share. A context manager; leaving it ends all waiting."""

    def __init__(
        self,
        api: str,
        limit: RateLimit,
        clock: Clock,
        *,
        token: str | None = None,
        token_file: str | None = None,
        retries: int = 4,
        timeout_s: float = 30.0,
        connections: int = 8,
    ) -> None:
        """`token_file` is where the token came from, for messages; `timeout_s` counts from byte to byte."""
        self._api = api.rstrip("/")
        self._limit, self._clock, self._retries = limit, clock, retries
        self._token, self._token_file = token, token_file
        self._failed_in_a_row = 0
        self._http = httpx.Client(
            headers={
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": API_VERSION,
                "User-Agent": "quarry",
            },
            timeout=timeout_s,
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clock.stop()
        self._http.close()

    def get(self, address: str, params: Mapping[str, str] | None = None, etag: str | None = None) -> Answer:
        """The answer to `address`, a path such as /repos/owner/name or a whole URL, after any redirects.

        With the `etag` of an earlier answer it is 304 where that still holds, which does not count for the limit.
        Raises Unavailable; UsageError where the token is not accepted; RunFailed where a limit or an outage lasts.
        """
        url = httpx.URL(address if "://" in address else self._api + address)
        request = self._http.build_request("GET", url, params=params)
        if etag:
            request.headers["If-None-Match"] = etag
        if self._token and self._is_ours(url):
            request.headers["Authorization"] = f"Bearer {self._token}"
        for _ in range(HOPS):
            response = self._persistently(request)
            if response.next_request is None:
                return self._answer(response)
            request = response.next_request  # which httpx made without the token where it leads to another host
        raise Unavailable(f"it redirected more than {HOPS} times")

    def _persistently(self, request: httpx.Request) -> httpx.Response:
        """Send until there is an answer that no limit and no passing failure stands behind."""
        refusals = failures = 0
        while True:
            response, refused = self._once(request)
            if isinstance(response, str):
                failures += 1
                if failures > self._retries:
                    raise Unavailable(response)
                self._clock.sleep(random.uniform(0.0, min(BACKOFF_S, 2.0**failures)))
            elif refused:
                refusals += 1
                if refusals > REFUSALS:
                    raise RunFailed(
                        f"'{self._api}' refused one request {refusals} times, though it was given the time it asked "
                        "for; run again in an hour."
                    )
            else:
                return response

    def _once(self, request: httpx.Request) -> tuple[httpx.Response | str, bool]:
        """The answer, and whether it is the refusal of a limit; or in words, a failure that may pass."""
        resource = "search" if "/search/" in request.url.path else "core"
        entered = self._limit.enter(resource)
        status, said, refused = 0, "", False
        headers: Mapping[str, str] = {}
        try:
            response = self._http.send(request)
            status, headers, said = response.status_code, response.headers, _said(response)
        except httpx.TimeoutException:
            return self._counted("it did not answer in time"), False
        except httpx.RequestError as error:
            return self._counted(f"the connection failed ({type(error).__name__})"), False
        finally:
            refused = self._limit.leave(resource, entered, status, headers, said)
        if status >= 500:
            return self._counted(f"it answered {status}"), False
        if status == 200 and _json(response) is None:
            return self._counted("its answer was no JSON"), False
        self._failed_in_a_row = 0
        return response, refused

    def _counted(self, failure: str) -> str:
        """`failure`; RunFailed where no request succeeds any more, so that all others would end like this."""
        self._failed_in_a_row += 1
        if self._failed_in_a_row > LOST * (self._retries + 1):
            raise RunFailed(f"'{self._api}' does not work now ({failure}); run again when it does.")
        return failure

    def _answer(self, response: httpx.Response) -> Answer:
        if response.status_code == 401 and self._is_ours(response.url):
            if self._token:
                raise UsageError(
                    f"'{self._api}' does not accept the token in '{self._token_file}'; "
                    "write a valid one with: gh auth token > FILE."
                )
            raise UsageError(f"'{self._api}' answers only with a token; name a token_file.")
        following = response.links.get("next", {}).get("url")
        return Answer(response.status_code, _json(response), response.headers.get("etag"), following)

    def _is_ours(self, url: httpx.URL) -> bool:
        ours = httpx.URL(self._api)
        return (url.scheme, url.host, url.port) == (ours.scheme, ours.host, ours.port)


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _said(response: httpx.Response) -> str:
    body = _json(response) if response.status_code >= 400 else None
    said = body.get("message") if isinstance(body, dict) else None
    return said if isinstance(said, str) else ""
