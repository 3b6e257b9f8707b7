"""Judges documents again in rank order, as far as what is known of them reaches; says what has to be looked up more.

Documents of equal shingle sets are one group, which its best ranked leads. Who is judged, and against whom:
- a group whose canonical goes, or whose leader was removed, against every better kept group that it shares a bucket
  with. So it has to be *expanded* first: all that share a bucket with it are known;
- any other only against groups that newly stay: what it cites is the nearest of those that stayed anyway.
A group that newly stays has the worse ones that resemble it judged; one that falls has those judged that cite it.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from stages.near_duplicates.re_election_look_up import Found, Rank
from stages.near_duplicates.re_election_sets import Similarities


@dataclass
class Group:
    """Documents of equal shingle sets that are not removed."""

    key: bytes
    members: list[Found]  # from the best ranked to the worst

    @property
    def leader(self) -> Found:
        return self.members[0]

    @property
    def in_base(self) -> bool:
        """Whether a document of the base run leads it, which stays."""
        return self.leader.rank[0] == 0


@dataclass
class Known:
    """What has been looked up."""

    groups: dict[bytes, Group] = field(default_factory=dict)
    seen: set[tuple[int, int]] = field(default_factory=set)  # shard and row
    citing: dict[str, set[bytes]] = field(default_factory=lambda: defaultdict(set))  # groups by what they cite
    expanded: set[bytes] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)  # ids of which it is known who cites them
    buckets: dict[int, set[bytes]] = field(default_factory=lambda: defaultdict(set))  # of expanded groups

    def add(self, documents: Iterable[Found]) -> None:
        """Take in what a look-up found; the same document may come again."""
        grown: set[bytes] = set()
        for document in documents:
            if (document.shard, document.row) in self.seen:
                continue
            self.seen.add((document.shard, document.row))
            self.groups.setdefault(document.key, Group(document.key, [])).members.append(document)
            grown.add(document.key)
            if document.cites is not None:
                self.citing[document.cites].add(document.key)
        for key in grown:
            self.groups[key].members.sort(key=lambda member: member.rank)

    def expand(self, keys: set[bytes]) -> None:
        """All that share a bucket with these groups have been added."""
        self.expanded |= keys
        shared = {bucket for key in self.expanded for bucket in self.groups[key].leader.bands.tolist()}
        self.buckets.clear()
        for key, group in self.groups.items():
            for bucket in shared.intersection(group.leader.bands.tolist()):
                self.buckets[bucket].add(key)


@dataclass
class Verdict:
    """What becomes of a group."""

    canonical: Found | None  # None where it stays
    jaccard: float = 1.0


@dataclass
class Judged:
    """Verdicts, by group, on all that may have changed, and what has to be known for those that are missing."""

    verdicts: dict[bytes, Verdict] = field(default_factory=dict)
    to_expand: set[bytes] = field(default_factory=set)
    to_ask: set[str] = field(default_factory=set)


def judge(known: Known, first: set[bytes], similarities: Similarities) -> Judged:
    """Judge the groups `first`, whose canonical or leader was removed, and all that follows from it."""
    return _Judging(known, first, similarities).judge()


class _Judging:
    def __init__(self, known: Known, first: set[bytes], similarities: Similarities) -> None:
        self.known, self.first, self.similarities = known, first, similarities
        self.judged = Judged()
        self.stays = {key: group.leader.cites is None or group.in_base for key, group in known.groups.items()}
        self.stays |= dict.fromkeys(first, False)
        self.kept: dict[int, set[bytes]] = defaultdict(set)  # those of a bucket that stay, or did
        for bucket, keys in known.buckets.items():
            self.kept[bucket] = {key for key in keys if self.stays[key]}
        self.queue: list[tuple[Rank, bytes]] = []
        self.queued: set[bytes] = set()
        self.near: dict[bytes, list[tuple[Found, float]]] = defaultdict(list)  # better ones that newly stay
        self.orphans = set(first)

    def judge(self) -> Judged:
        for key in self.first:
            self._push(key)
        while self.queue:
            _, key = heapq.heappop(self.queue)
            group = self.known.groups[key]
            if group.in_base:
                self.judged.verdicts[key] = Verdict(None)
            elif key in self.known.expanded:
                self._settle(group, self._against_all(group))
            elif key in self.orphans:
                self.judged.to_expand.add(key)
            else:
                self._judge_known(group)
        return self.judged

    def _push(self, key: bytes) -> None:
        if key not in self.queued:
            self.queued.add(key)
            heapq.heappush(self.queue, (self.known.groups[key].leader.rank, key))

    def _against_all(self, group: Group) -> Verdict:
        leader = group.leader
        keys = {key for bucket in leader.bands.tolist() for key in self.kept[bucket] if self.stays[key]}
        better = [self.known.groups[key].leader for key in keys if key != group.key]
        return _best(self.similarities.near(leader, [other for other in better if other.rank < leader.rank]))

    def _judge_known(self, group: Group) -> None:
        """Judge a group whose old canonical stays, if it has one, against those that newly stay."""
        leader, best = group.leader, _best(self.near[group.key])
        if leader.jaccard == best.jaccard:
            self.judged.to_expand.add(group.key)  # the better ranked is cited, and the old one's rank is not known
        elif leader.jaccard is None or leader.jaccard < best.jaccard:
            self._settle(group, best)

    def _settle(self, group: Group, verdict: Verdict) -> None:
        self.judged.verdicts[group.key] = verdict
        stayed, stays = self.stays[group.key], verdict.canonical is None
        self.stays[group.key] = stays
        if stays and not stayed:
            self._newly_stays(group)
        elif stayed and not stays:
            self._falls(group.leader)

    def _newly_stays(self, group: Group) -> None:
        leader, keys = group.leader, set()
        for bucket in leader.bands.tolist():
            self.kept[bucket].add(group.key)
            keys |= self.known.buckets[bucket]
        worse = [self.known.groups[key].leader for key in keys]
        for other, jaccard in self.similarities.near(leader, [one for one in worse if one.rank > leader.rank]):
            self.near[other.key].append((leader, jaccard))
            self._push(other.key)

    def _falls(self, leader: Found) -> None:
        if leader.id not in self.known.asked:
            self.judged.to_ask.add(leader.id)
            return
        citing = self.known.citing[leader.id] - {leader.key}
        self.orphans |= citing
        for key in citing:
            self._push(key)


def _best(near: Iterable[tuple[Found, float]]) -> Verdict:
    """The most similar, the better ranked of equals."""
    best = min(near, key=lambda one: (-one[1], one[0].rank), default=None)
    return Verdict(None) if best is None else Verdict(*best)
