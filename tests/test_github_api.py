"""The client against a server that answers like GitHub: limits to the second, retries, redirects, the token kept."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock, Timer

import pytest

from pipeline.errors import RunFailed, UsageError
from stages.github_api import Client, Unavailable
from stages.rate_limit import Clock, RateLimit, Stopped
from tests.github_server import GitHubServer, Said, github

TOKEN = "ghp_0123456789abcdef"
NOON = 1_800_000_000.0


class FastClock(Clock):
    """A clock that nobody has to wait for: sleeping moves it."""

    def __init__(self) -> None:
        super().__init__()
        self.time = NOON
        self.slept: list[float] = []
        self._lock = Lock()

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        super().sleep(0)
        with self._lock:
            self.time += seconds
            if seconds >= 1:
                self.slept.append(seconds)


@pytest.fixture
def server() -> Iterator[GitHubServer]:
    with github() as state:
        yield state


@pytest.fixture
def clock(server: GitHubServer) -> FastClock:
    fast = FastClock()
    server.clock = fast.now
    return fast


Connect = Callable[..., Client]


@pytest.fixture
def told() -> list[str]:
    """What was told of waits."""
    return []


@pytest.fixture
def connect(server: GitHubServer, clock: FastClock, told: list[str]) -> Iterator[Connect]:
    made: list[Client] = []

    def make(max_wait_s: float = 4000, a_minute: int = 10**9, **options: object) -> Client:
        limit = RateLimit(clock, max_wait_s, a_minute, on_wait=told.append)
        made.append(Client(server.url, limit, clock, **{"timeout_s": 5.0, "retries": 2, **options}))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for client in made:
        client.__exit__(None, None, None)


def test_answers_are_read_and_an_etag_costs_nothing(server: GitHubServer, connect: Connect) -> None:
    server.add("acme/widgets", stargazers_count=7)
    server.limit = 10
    client = connect(token=TOKEN)
    first = client.get("/repos/acme/widgets")
    assert (first.status, first.body["stargazers_count"]) == (200, 7)
    again = client.get("/repos/acme/widgets", etag=first.etag)
    assert (again.status, again.body) == (304, None)
    assert server.remaining == 9
    assert client.get("/repos/acme/none").status == 404


def test_an_exhausted_limit_is_waited_for_to_the_second_and_no_request_is_wasted(
    server: GitHubServer, clock: FastClock, connect: Connect, told: list[str]
) -> None:
    server.add("acme/widgets")
    server.limit = 3
    client = connect(token=TOKEN)
    for _ in range(7):
        assert client.get("/repos/acme/widgets").status == 200
    assert server.count(403) == 0
    assert clock.slept == [3600, 3600]
    assert [asked.at for asked in server.asked] == [NOON] * 3 + [NOON + 3600] * 3 + [NOON + 7200]
    assert told[0] == "the host's limit of requests is reached; waiting until 2027-01-15 09:00:00 UTC."


def test_the_hosts_clock_counts(server: GitHubServer, clock: FastClock, connect: Connect) -> None:
    server.add("acme/widgets")
    server.limit = 1
    server.clock = lambda: clock.now() + 500  # our clock is late
    client = connect()
    for _ in range(2):
        client.get("/repos/acme/widgets")
    assert clock.slept == [3600]
    assert server.count(403) == 0


def test_a_limit_that_others_used_up_is_waited_for(server: GitHubServer, clock: FastClock, connect: Connect) -> None:
    server.add("acme/widgets")
    server.limit, server.remaining, server.reset = 5, 0, int(NOON) + 42
    assert connect().get("/repos/acme/widgets").status == 200
    assert clock.slept == [42]


def test_threads_share_the_limit(server: GitHubServer, clock: FastClock, connect: Connect) -> None:
    server.add("acme/widgets")
    server.limit = 25
    client = connect(token=TOKEN)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.get("/repos/acme/widgets"), range(60)))
    assert {answer.status for answer in answers} == {200}
    assert server.count(403) == 0
    assert clock.slept == [3600, 3600]


def test_a_limit_that_lasts_too_long_says_when_to_run_again(server: GitHubServer, connect: Connect) -> None:
    server.add("acme/widgets")
    server.limit = 1
    client = connect(max_wait_s=60)
    client.get("/repos/acme/widgets")
    with pytest.raises(RunFailed, match=r"before 2027-01-15 09:00:00 UTC.*\(60 s\).*run again then\.$"):
        client.get("/repos/acme/widgets")
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [403, 429])
def test_a_secondary_limit_is_obeyed(status: int, server: GitHubServer, clock: FastClock, connect: Connect) -> None:
    server.add("acme/widgets")
    refusal = {"message": "You have exceeded a secondary rate limit."}
    server.instead["/repos/acme/widgets"] = [Said(status, {"Retry-After": "17"}, refusal)]
    assert connect().get("/repos/acme/widgets").status == 200
    assert clock.slept == [17]


def test_a_secondary_limit_without_a_time_is_waited_for_twice_as_long_each_time(
    server: GitHubServer, clock: FastClock, connect: Connect
) -> None:
    server.add("acme/widgets")
    refusal = Said(403, {"X-RateLimit-Remaining": "9", "X-RateLimit-Reset": "0"}, {"message": "Secondary rate limit"})
    server.instead["/repos/acme/widgets"] = [refusal] * 3
    client = connect()
    assert client.get("/repos/acme/widgets").status == 200
    assert clock.slept == [60, 120, 240]
    server.always["/repos/acme/widgets"] = refusal
    with pytest.raises(RunFailed, match="takes no more requests before"):
        client.get("/repos/acme/widgets")
    assert clock.slept[3:] == [60, 120, 240, 480, 960, 1920, 3840]


def test_a_host_that_refuses_for_ever_ends_the_run(server: GitHubServer, connect: Connect) -> None:
    server.always["/repos/a/b"] = Said(429, {"Retry-After": "1"}, {})
    with pytest.raises(RunFailed, match=r"refused one request 11 times.*run again in an hour\.$"):
        connect().get("/repos/a/b")


def test_requests_are_paced(server: GitHubServer, clock: FastClock, connect: Connect) -> None:
    server.add("acme/widgets")
    client = connect(a_minute=30)
    for _ in range(4):
        client.get("/repos/acme/widgets")
    assert clock.slept == [2, 2, 2]


def test_what_a_token_may_not_see_is_no_limit(server: GitHubServer, clock: FastClock, connect: Connect) -> None:
    server.always["/repos/a/b"] = Said(
        403, {"X-RateLimit-Remaining": "9", "X-RateLimit-Reset": "1"}, {"message": "Protected by SAML"}
    )
    answer = connect(token=TOKEN).get("/repos/a/b")
    assert (answer.status, answer.message) == (403, "Protected by SAML")
    assert clock.slept == []


def test_what_may_pass_is_tried_again_with_growing_pauses(
    server: GitHubServer, clock: FastClock, connect: Connect
) -> None:
    server.add("acme/widgets")
    server.instead["/repos/acme/widgets"] = [Said(502), Said(503)]
    assert connect().get("/repos/acme/widgets").status == 200
    server.always["/repos/acme/widgets"] = Said(500)
    with pytest.raises(Unavailable, match="it answered 500"):
        connect().get("/repos/acme/widgets")
    assert server.count(500) == 3
    assert clock.now() - NOON <= 2 * (2 + 4)


def test_an_answer_that_does_not_come_is_unavailable(server: GitHubServer, connect: Connect) -> None:
    server.slow["/repos/a/b"] = Event()
    with pytest.raises(Unavailable, match="did not answer in time"):
        connect(retries=0, timeout_s=0.1).get("/repos/a/b")


def test_a_host_that_is_down_ends_the_run(clock: FastClock) -> None:
    with Client("http://127.0.0.1:1", RateLimit(clock, 60, 10**9), clock, retries=1) as client:
        for _ in range(10):
            with pytest.raises(Unavailable, match=r"the connection failed \(ConnectError\)"):
                client.get("/repos/a/b")
        with pytest.raises(RunFailed, match=r"'http://127.0.0.1:1' does not work now .*; run again when it does\.$"):
            client.get("/repos/a/b")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_followed_with_the_token(status: int, server: GitHubServer, connect: Connect) -> None:
    server.add("new/name")
    server.always["/repos/old/name"] = Said(status, {"Location": f"{server.url}/repos/new/name"}, {})
    assert connect(token=TOKEN).get("/repos/old/name").body["full_name"] == "new/name"
    assert [asked.token for asked in server.asked] == [TOKEN, TOKEN]


def test_another_host_gets_no_token(server: GitHubServer, connect: Connect) -> None:
    with github() as other:
        other.add("new/name")
        server.moved["/repos/old/name"] = f"{other.url}/repos/new/name"
        client = connect(token=TOKEN)
        assert client.get("/repos/old/name").status == 200
        assert client.get(f"{other.url}/repos/new/name").status == 200
        assert [asked.token for asked in server.asked] == [TOKEN]
        assert [asked.token for asked in other.asked] == [None, None]


def test_redirects_in_a_circle_end(server: GitHubServer, connect: Connect) -> None:
    server.moved = {"/repos/a/b": f"{server.url}/repos/c/d", "/repos/c/d": f"{server.url}/repos/a/b"}
    with pytest.raises(Unavailable, match="redirected more than 10 times"):
        connect().get("/repos/a/b")
    assert len(server.asked) == 10


def test_a_token_that_is_not_accepted_names_its_file(server: GitHubServer, connect: Connect) -> None:
    server.tokens = {"another"}
    with pytest.raises(UsageError, match=r"does not accept the token in '~/token'; write a valid one"):
        connect(token=TOKEN, token_file="~/token").get("/repos/a/b")
    server.always["/repos/a/b"] = Said(401, {}, {"message": "Requires authentication"})
    with pytest.raises(UsageError, match="answers only with a token"):
        connect().get("/repos/a/b")


def test_the_token_shows_nowhere(
    server: GitHubServer, connect: Connect, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    server.add("acme/widgets")
    server.always["/repos/a/b"] = Said(500)
    client = connect(token=TOKEN, token_file="~/token")
    client.get("/repos/acme/widgets")
    with pytest.raises(Unavailable) as failed:
        client.get("/repos/a/b")
    server.tokens = set()
    with pytest.raises(UsageError) as refused:
        client.get("/repos/acme/widgets")
    said = [caplog.text, *capfd.readouterr(), repr(client), repr(vars(client)["_http"].headers)]
    said += [repr(error) for error in (failed.value, refused.value)]
    assert not any(TOKEN in text for text in said)


def test_leaving_the_client_ends_a_long_wait(server: GitHubServer) -> None:
    server.add("acme/widgets")
    server.limit = 1
    clock = Clock()
    client = Client(server.url, RateLimit(clock, 4000, 10**9), clock)
    client.get("/repos/acme/widgets")
    Timer(0.2, client.__exit__, (None, None, None)).start()
    with pytest.raises(Stopped):
        client.get("/repos/acme/widgets")
