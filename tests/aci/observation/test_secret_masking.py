"""Masking of secrets in every encoding that programs use, and of nothing else."""

from __future__ import annotations

import json
import textwrap
from base64 import b64decode, b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aci.observation.secret_masking import replace_secrets, secrets_in_url, without_url_secrets

SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=255), min_size=8, max_size=60)
AROUND = st.binary(max_size=20)


@given(SECRETS, AROUND, AROUND, st.sampled_from([b64encode, urlsafe_b64encode]), st.integers(10, 80))
def test_secret_inside_base64_text_is_masked(secret, before, after, encode, width):
    coded = encode(before + secret.encode() + after).decode()
    for text in (coded, "\n".join(textwrap.wrap(coded, width)), "\\n".join(textwrap.wrap(coded, width))):
        hidden = replace_secrets(f"see: {text}", [secret], "\0")
        assert "\0" in hidden
        left = [part for part in hidden.replace("\\n", "").replace("\n", "").removeprefix("see: ").split("\0") if part]
        assert len("".join(left)) <= len(coded) - len(secret.encode()) * 8 // 6 + 2


@given(SECRETS)
def test_secret_is_masked_in_other_encodings(secret):
    for form in (secret, quote(secret, safe=""), quote_plus(secret), secret.encode().hex(), json.dumps(secret)[1:-1]):
        assert replace_secrets(f"a {form} b", [secret], "*") == "a * b"


@given(st.text(max_size=300))
def test_text_without_secret_is_unchanged(text):
    secret = "a-canary-that-is-in-no-text"
    assert replace_secrets(text, [secret, "short", ""], "*") == text


def test_basic_authorization_header_is_masked():
    header = b64encode(b"user:hunter2hunter2").decode()
    hidden = replace_secrets(f"Authorization: Basic {header}", ["hunter2hunter2"], "*")
    assert b"hunter2" not in b64decode(hidden.rpartition(" ")[2].replace("*", "") + "==")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://me:p%40w@host/v1?v=2&api_key=k+1&subscription-key=k2", ("me", "p%40w", "k+1", "k2", "p@w", "k 1")),
        ("https://token@host", ("token",)),
        ("http://host/v1?version=2#a@b", ()),
        ("host:80/a@b?keys", ()),
        ("", ()),
    ],
)
def test_credentials_in_url_are_found(url, expected):
    assert secrets_in_url(url) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://me:pw@host:1/v1", "http://host:1/v1"),
        ("http://me:p@w@host", "http://host"),
        ("to https://token@host/a@b, and http://host/x", "to https://host/a@b, and http://host/x"),
        ("http://host/v1", "http://host/v1"),
        ("a@b", "a@b"),
        ("at http://host/v1?v=2&api-key=k%3D1&x=3: no", "at http://host/v1?v=2&api-key=***&x=3: no"),
        ("http://host?code=1#token=2", "http://host?code=***#token=2"),
    ],
)
def test_credentials_are_removed_from_url(text, expected):
    assert without_url_secrets(text) == expected
