"""Keys and tokens: enough random bits, stored as hashes, recognised only whole."""

import base64

from gateway.domain import credentials

PEPPER = b"p" * 32


def test_a_key_carries_256_random_bits_and_is_found_by_its_prefix():
    first, second = credentials.make_key(PEPPER), credentials.make_key(PEPPER)
    assert first.text != second.text
    secret = first.text.rsplit("_", 1)[0] and first.text.split("_", 2)[2]
    assert len(base64.urlsafe_b64decode(secret + "=")) == 32
    assert credentials.prefix_of(first.text) == first.prefix
    assert first.prefix in first.text


def test_only_the_whole_key_under_the_same_secret_has_the_stored_hash():
    key = credentials.make_key(PEPPER)
    assert credentials.same(key.key_hash, credentials.keyed_hash(PEPPER, key.text))
    assert not credentials.same(key.key_hash, credentials.keyed_hash(b"q" * 32, key.text))
    assert not credentials.same(key.key_hash, credentials.keyed_hash(PEPPER, key.text[:-1]))


def test_what_is_no_key_has_no_prefix():
    for text in ("", "esk_", "Bearer x", "esk_zzzzzzzzzz_" + "a" * 43, "esk_0123456789_" + "a" * 42):
        assert credentials.prefix_of(text) is None


def test_tokens_are_long_and_stored_hashed():
    token = credentials.make_token()
    assert len(token) >= 43
    assert token.encode() not in credentials.token_hash(token)
