"""STORAGE_URL."""

import pytest

from queueing.storage.address import parsed

IN_HOUSE = "s3://key:secret%2Fwith%2Bsigns@files.internal:9000/queue"


def test_an_address_has_all_that_the_storage_needs() -> None:
    found = parsed(IN_HOUSE + "/site/one?region=eu&public=https://files.example/")
    assert found.storage == {
        "BACKEND": "queueing.storage.objects.ObjectStorage",
        "OPTIONS": {
            "bucket_name": "queue",
            "location": "site/one",
            "access_key": "key",
            "secret_key": "secret/with+signs",
            "region_name": "eu",
            "endpoint_url": "https://files.internal:9000",
            "public_url": "https://files.example",
            "addressing_style": "path",
        },
    }
    assert found.origin == "https://files.example"


@pytest.mark.parametrize(
    ("url", "endpoint", "origin"),
    [
        (IN_HOUSE, "https://files.internal:9000", "https://files.internal:9000"),
        (IN_HOUSE + "?tls=0", "http://files.internal:9000", "http://files.internal:9000"),
        (IN_HOUSE + "?tls=Off", "http://files.internal:9000", "http://files.internal:9000"),
        (IN_HOUSE + "?tls=yes", "https://files.internal:9000", "https://files.internal:9000"),
        (IN_HOUSE + "?style=virtual", "https://files.internal:9000", "https://queue.files.internal:9000"),
        ("s3://k:s@[::1]:9000/queue", "https://[::1]:9000", "https://[::1]:9000"),
        (
            "s3:///queue?region=eu-central-1",
            "https://s3.eu-central-1.amazonaws.com",
            "https://queue.s3.eu-central-1.amazonaws.com",
        ),
    ],
)
def test_tls_is_on_and_the_origin_is_that_of_signed_addresses(url: str, endpoint: str, origin: str) -> None:
    found = parsed(url)
    assert (found.storage["OPTIONS"]["endpoint_url"], found.origin) == (endpoint, origin)


def test_without_a_key_boto3_looks_for_one_itself() -> None:
    options = parsed("s3:///queue?region=eu-central-1").storage["OPTIONS"]
    assert (options["access_key"], options["secret_key"]) == (None, None)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("https://key:hidden@host/bucket", "must be s3://"),
        ("s3://key:hidden@host", "names no bucket"),
        ("s3://key:hidden@host/?region=eu", "names no bucket"),
        ("s3://hidden@host/bucket", "half of a key"),
        ("s3://key:hidden@host/bucket?tsl=0", "no option 'tsl'"),
        ("s3://key:hidden@/bucket", "needs a region"),
        ("s3://key:hidden@host/bucket?region=&public=https://files.example", "region has no value"),
        ("s3://key:hidden@host/bucket?public=", "public has no value"),
        ("s3://key:hidden@host/bucket?tls", "tls has no value"),
        ("s3://key:hidden@host/bucket?tls=maybe", "tls is 1 or 0"),
        ("s3://key:hidden@host/bucket?style=mixed", "path or virtual"),
        ("s3://key:hidden@host/bucket?public=files.example", "https://files.example"),
        ("s3://key:hid/den@host/bucket", "percent-encode"),
        ("s3://key:hidden@host:port/bucket", "percent-encode"),
    ],
)
def test_what_cannot_be_meant_is_refused_without_a_word_of_the_key(url: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as refused:
        parsed(url)
    assert "hid" not in str(refused.value)
    assert refused.value.__cause__ is None
