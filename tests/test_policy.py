"""What the policy leaves in a text, and that each kind can be asked for to be redacted."""

from __future__ import annotations

import pytest

from pii.policy import LEFT, Policy, judge
from pii.spans import Span

NOTICES = [
    "# Copyright (c) 2010-2020 {}\n",
    "// Copyright (C) 2019, {} <jane@x.org>. All rights reserved.\n",
    " * © 2014 {} and contributors\n",
    "/* (c) {} */",
    "Copyright {} 2001, 2003-2005\n",
    '__copyright__ = "Copyright 2012, {}"\n',
    "copyright = u'2010, {}'\n",
    "-- Copyright: (c) 2018, {} (https://example.org)\n",
    ";; Copyright (C) 2004  Free Software Foundation, {}, and others\n",
    "# SPDX-FileCopyrightText: 2019 {} <jane@x.org>\n",
    "dnl Copyright 1999 by {}\n",
    "<!-- Copyright &copy; 2020 {} -->",
    "<p>&copy; 2020 {}</p>",
    "% Portions Copyright (c) 1995 by {}.\n",
    "Copyright: 2010-2012, Max Muster <m@x.org>\n           2014, {}\n",
    "/*\n * Copyright (c) 2001 Max Muster,\n *                    Foo Bar Inc.,\n *                    {}\n */",
    "# Copyright 2010 Google Inc. and\n#   {}\n",
    "REM Copyright (c) 2011 {}\r\n",
    "THIS SOFTWARE IS PROVIDED BY {} ``AS IS'' AND ANY EXPRESS",
    " * Neither the name of {} nor the names of its contributors",
    "Copyright 漢 2010 {}",
]
OTHERS = [
    "# Author: {}\n",
    " * @author {}\n",
    "# Copyright (c) 2010 Foo Inc.\n# Author: {}\n",
    "# Copyright (c) 2010 Foo Inc.\n# Written by {}\n",
    "# Copyright (c) 2010 Foo Inc. Written by {}\n",
    "# Copyright (c) 2010 Foo Inc.\n#\n# {}\n",
    "Questions of copyright are answered by {}\n",
    "the copyright notice was written by {}\n",
    "// by {}\n",
    "Thanks to {} (c.f. the changelog)\n",
    'name = "{}"\n',
    "Copyright (c) 2010 Foo\nimport os\nname = {}\n",
]
PERSON = "Jane Roeder"


def judged(text: str, value: str, entity: str, policy: Policy | None = None, left: str = "") -> str:
    start = text.index(value)
    (span,) = judge(text, [Span(start, start + len(value), entity, 0.9, "R", "f", left)], policy or Policy())
    return span.left


@pytest.mark.parametrize("line", NOTICES)
def test_who_holds_the_copyright_stays(line: str) -> None:
    text = line.format(PERSON)
    assert judged(text, PERSON, "NAME") == "license_holder"
    assert judged("x = 1\n" + text + "x = 2\n", PERSON, "NAME") == "license_holder"
    assert judged(text, PERSON, "NAME", Policy(license_holders="redact")) == ""
    if "jane@x.org" in text:
        assert judged(text, "jane@x.org", "EMAIL") == ""


@pytest.mark.parametrize("line", OTHERS)
def test_who_does_not_hold_it_goes(line: str) -> None:
    assert judged(line.format(PERSON), PERSON, "NAME") == ""


def test_a_long_list_of_holders_is_followed_to_its_notice() -> None:
    people = "".join(f" *   20{year} Max Muster\n" for year in range(10, 30))
    assert judged(f" * Copyright\n{people} *   2031 {PERSON}\n", PERSON, "NAME") == "license_holder"
    assert judged(f" * Copyright\n{people} *\n *   2031 {PERSON}\n", PERSON, "NAME") == ""


@pytest.mark.parametrize(
    ("entity", "value", "reason"),
    [
        ("EMAIL", "jane.doe@example.com", "example"),
        ("EMAIL", "root@mail.example.org", "example"),
        ("EMAIL", "you@yourdomain.com", "example"),
        ("EMAIL", "john.doe@company.com", "example"),
        ("EMAIL", "user@localhost.localdomain", "example"),
        ("EMAIL", "jane.roeder@gmail.com", ""),
        ("EMAIL", "john.doe@gmail.com", ""),
        ("EMAIL", "jane.roeder@company.com", ""),
        ("EMAIL", "jane.roeder@examples.io", ""),
        ("NAME", "John Doe", "example"),
        ("NAME", "Max Mustermann", "example"),
        ("NAME", "Alice", "example"),
        ("NAME", "John Doerr", ""),
        ("NAME", "Max Muster-Bach", ""),
        ("IP_ADDRESS", "10.1.2.3", "private_address"),
        ("IP_ADDRESS", "127.0.0.1", "private_address"),
        ("IP_ADDRESS", "255.255.255.0", "private_address"),
        ("IP_ADDRESS", "::1", "private_address"),
        ("IP_ADDRESS", "fe80::1", "private_address"),
        ("IP_ADDRESS", "fd12:3456::1", "private_address"),
        ("IP_ADDRESS", "192.0.2.44", "example"),
        ("IP_ADDRESS", "2001:db8::7", "example"),
        ("IP_ADDRESS", "8.8.8.8", "public_service"),
        ("IP_ADDRESS", "2001:4860:4860::8888", "public_service"),
        ("IP_ADDRESS", "93.184.216.34", ""),
        ("IP_ADDRESS", "2a00:1450:4001:81b::200e", ""),
        ("USERNAME", "root", "generic_account"),
        ("USERNAME", "ubuntu", "generic_account"),
        ("USERNAME", "jdoe", "example"),
        ("USERNAME", "myuser", "example"),
        ("USERNAME", "torvalds", ""),
        ("USERNAME", "rootman", ""),
        ("PASSWORD", "changeme", "example"),
        ("PASSWORD", "my_secret_password", "example"),
        ("PASSWORD", "Passw0rd", "example"),
        ("PASSWORD", "password123", "example"),
        ("PASSWORD", "tr0ub4dor&3", ""),
        ("PASSWORD", "passat-2004-blue", ""),
        ("KEY", "AKIAIOSFODNN7EXAMPLE", "example"),
        ("KEY", "q8Zr2LmX0tVb6Yk4", ""),
    ],
)
def test_what_says_that_it_is_nobodys_stays(entity: str, value: str, reason: str) -> None:
    text = f"x = '{value}'"
    assert judged(text, value, entity) == reason
    if reason:
        assert judged(text, value, entity, Policy.model_validate({LEFT[reason]: "redact"})) == ""


@pytest.mark.parametrize("line", ["@author John Smith", "Signed-off-by: Alice <a@gmail.com>", "// thanks to Bob"])
def test_a_usual_name_that_is_credited_is_a_person(line: str) -> None:
    name = next(name for name in ("John Smith", "Alice", "Bob") if name in line)
    assert judged(line, name, "NAME") == ""
    assert judged(f"greet('{name}')", name, "NAME") == "example"


def test_what_a_recognizer_left_follows_the_policy_too() -> None:
    assert judged("x 1.2.3.4", "1.2.3.4", "IP_ADDRESS", left="example") == "example"
    assert judged("x 1.2.3.4", "1.2.3.4", "IP_ADDRESS", Policy(examples="redact"), "example") == ""
