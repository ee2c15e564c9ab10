"""STORAGE_URL: the address of a storage of objects, as `settings.STORAGES` takes it.

    s3://KEY:SECRET@host:port/bucket/folder?region=…&tls=0&public=https://…&style=virtual

Without a key, boto3 finds one in its usual places: AWS_ACCESS_KEY_ID, a profile, the role of the machine. Without a
host it is Amazon's, in the region.
"""

from typing import Any, NamedTuple
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

BACKEND = "queueing.storage.objects.ObjectStorage"
OPTIONS = ("region", "tls", "public", "style")
WORDS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


class StorageAddress(NamedTuple):
    """A storage of objects, for the settings."""

    storage: dict[str, Any]  # the value of `STORAGES["default"]`
    origin: str  # of the signed addresses; pages show pictures from there


def parsed(url: str) -> StorageAddress:
    """The address in parts. Raises ValueError with one sentence, which has no part of a key."""
    try:
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("STORAGE_URL cannot be read: percent-encode its key and secret.") from None
    host = (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
    bucket, _, folder = parts.path.strip("/").partition("/")
    _refuse(parts, bucket, query, host=host)
    is_virtual = query.get("style", "path" if host else "virtual") == "virtual"
    region = query.get("region", "us-east-1")
    endpoint = _endpoint(host or f"s3.{region}.amazonaws.com", is_tls=WORDS[query.get("tls", "1").lower()])
    public = query.get("public", endpoint).rstrip("/")
    options = {
        "bucket_name": bucket,
        "location": unquote(folder),
        "access_key": unquote(parts.username or "") or None,
        "secret_key": unquote(parts.password or "") or None,
        "region_name": region,
        "endpoint_url": endpoint,
        "public_url": public,
        "addressing_style": "virtual" if is_virtual else "path",
    }
    scheme, _, rest = public.partition("://")
    name = f"{bucket}." * is_virtual + rest.partition("/")[0]
    return StorageAddress({"BACKEND": BACKEND, "OPTIONS": options}, f"{scheme}://{name}")


def _refuse(parts: SplitResult, bucket: str, query: dict[str, str], *, host: str) -> None:
    if parts.scheme != "s3" or parts.fragment:
        raise ValueError("STORAGE_URL must be s3://KEY:SECRET@host/bucket, with key and secret percent-encoded.")
    if not bucket:
        raise ValueError("STORAGE_URL names no bucket: it comes after the host, as in s3://host/bucket.")
    if bool(parts.username) != bool(parts.password):
        raise ValueError("STORAGE_URL has half of a key: give KEY:SECRET, or none of them.")
    if unknown := [name for name in query if name not in OPTIONS]:
        raise ValueError(f"STORAGE_URL has no option {unknown[0]!r}: there are {', '.join(OPTIONS)}.")
    if blank := [name for name, value in query.items() if not value]:
        raise ValueError(f"STORAGE_URL: {blank[0]} has no value.")
    if query.get("tls", "1").lower() not in WORDS:
        raise ValueError("STORAGE_URL: tls is 1 or 0.")
    if not host and "region" not in query:
        raise ValueError("STORAGE_URL has no host, so it needs a region: s3:///bucket?region=eu-central-1.")
    if query.get("style", "path") not in {"path", "virtual"}:
        raise ValueError("STORAGE_URL: style is path or virtual.")
    if not query.get("public", "https://").startswith(("https://", "http://")):
        raise ValueError("STORAGE_URL: public is an address as https://files.example.")


def _endpoint(host: str, *, is_tls: bool) -> str:
    return f"{'https' if is_tls else 'http'}://{host}"
