"""The recognizers, in Presidio's frame: e-mail addresses, IP addresses, passwords, secrets, private keys.

Presidio's stock recognizers are not used: its e-mail pattern runs at 0.1 MB/s on code, and its registry and tldextract
ask the network when they start. These leave what code has in plenty but is nobody's: versions, object identifiers, ssh
remotes, matrix products. docs/decisions/redaction.md says what is left and why.
"""

from __future__ import annotations

from collections.abc import Sequence

from presidio_analyzer import (
    AnalyzerEngine,
    ContextAwareEnhancer,
    EntityRecognizer,
    RecognizerRegistry,
    RecognizerResult,
)
from presidio_analyzer.nlp_engine import NlpArtifacts, NoOpNlpEngine

from pii.recognizers.assignment import AssignmentRecognizer
from pii.recognizers.base import FORMAT, LANGUAGE, LEFT, Found, Recognizer
from pii.recognizers.command import CommandRecognizer
from pii.recognizers.email import EmailRecognizer
from pii.recognizers.ip_address import IpAddressRecognizer
from pii.recognizers.key_member import KeyMemberRecognizer
from pii.recognizers.private_key import PrivateKeyRecognizer
from pii.recognizers.secret import SecretRecognizer
from pii.recognizers.tables import TableRecognizer
from pii.recognizers.url_password import UrlPasswordRecognizer
from pii.recognizers.username import UsernameRecognizer

__all__ = [
    "FORMAT",
    "LANGUAGE",
    "LEFT",
    "AssignmentRecognizer",
    "CommandRecognizer",
    "EmailRecognizer",
    "Found",
    "IpAddressRecognizer",
    "KeyMemberRecognizer",
    "NoContext",
    "PrivateKeyRecognizer",
    "Recognizer",
    "SecretRecognizer",
    "TableRecognizer",
    "UrlPasswordRecognizer",
    "UsernameRecognizer",
    "engine",
    "patterns",
]


class NoContext(ContextAwareEnhancer):
    """Leaves the scores as they are: Presidio's default copies every result to look for lemmas nobody computed."""

    def __init__(self) -> None:
        super().__init__(0.0, 0.0, 0, 0)

    def enhance_using_context(
        self,
        text: str,
        raw_results: list[RecognizerResult],
        nlp_artifacts: NlpArtifacts,
        recognizers: list[EntityRecognizer],
        context: list[str] | None = None,
    ) -> list[RecognizerResult]:
        return raw_results


def patterns() -> list[Recognizer]:
    """The recognizers by pattern, which read only the windows of pii/windows.py."""
    return [
        EmailRecognizer(),
        IpAddressRecognizer(),
        UsernameRecognizer(),
        UrlPasswordRecognizer(),
        SecretRecognizer(),
        PrivateKeyRecognizer(),
        AssignmentRecognizer(),
        CommandRecognizer(),
        TableRecognizer(),
        KeyMemberRecognizer(),
    ]


def engine(extra: Sequence[EntityRecognizer] = ()) -> AnalyzerEngine:
    """Presidio's analyzer with the recognizers by pattern, then `extra`: no language model, no file or network access.

    `extra` are any Presidio recognizers for language LANGUAGE, a user's own among them. They read what the caller gives
    to `analyze` and get no NLP artifacts. Only a Recognizer that names its anchors, words or assigned may read windows
    (windows.triggers takes its names as those of ours); any other must be given whole texts, or it would miss values.
    """
    return AnalyzerEngine(
        RecognizerRegistry([*patterns(), *extra], supported_languages=[LANGUAGE]),
        nlp_engine=NoOpNlpEngine(models=[{"lang_code": LANGUAGE, "model_name": "none"}]),
        supported_languages=[LANGUAGE],
        context_aware_enhancer=NoContext(),
    )
