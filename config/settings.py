"""Django settings. This is the only module that reads the environment."""

import os
import secrets
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.utils.csp import CSP

from config.database import database
from config.env import boolean, misspelt, number, one_of, prefixed, text, words
from config.strength import is_any_host, refuse, weakness_of_key
from queueing.storage import address

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"  # holds all files that a running site writes; git-ignored
with suppress(OSError):  # of another user: the checks at the start say which folder is missing, if it is needed
    VAR_DIR.mkdir(mode=0o700, exist_ok=True)
# Uploads lie beside the code, which Python finds by this folder: nothing in var/ can be imported as a module.
sys.modules[VAR_DIR.name] = None  # type: ignore[assignment]  # Python's own way to say so

DEBUG = boolean("DEBUG", default=False)
WITHOUT_SECRET_KEY = boolean("WITHOUT_SECRET_KEY", default=False)  # workers and the keeper sign nothing


def _secret_key() -> str:
    """The key from the environment. For development: a random one, kept in var/ from the first start on."""
    if WITHOUT_SECRET_KEY:  # a key of this process; a web process is refused by `check_key`
        return secrets.token_urlsafe(50)
    if key := text("SECRET_KEY"):
        if not DEBUG and (weakness := weakness_of_key(key)):
            refuse(f"SECRET_KEY {weakness}: set a long random text, as `openssl rand -hex 32` prints it.")
        return key
    if not DEBUG:
        refuse("Set SECRET_KEY in the environment, or DEBUG=1 for development.")
    path = VAR_DIR / "secret_key"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(50))
    return path.read_text()


SECRET_KEY = _secret_key()
ALLOWED_HOSTS = words("ALLOWED_HOSTS", default="localhost 127.0.0.1 [::1]" if DEBUG else "")
# Full origins (https://queue.example). Forms and WebSockets both trust these.
CSRF_TRUSTED_ORIGINS = words("CSRF_TRUSTED_ORIGINS")
if not DEBUG:
    for name, patterns in (("ALLOWED_HOSTS", ALLOWED_HOSTS), ("CSRF_TRUSTED_ORIGINS", CSRF_TRUSTED_ORIGINS)):
        for pattern in filter(is_any_host, patterns):
            refuse(f"{name} has {pattern!r}, which are other people's hosts, too: name those of the site.")
PORT = number("PORT", default=8000)
METRICS_TOKEN = text("METRICS_TOKEN")
# The proxies in front (10.0.0.2, 172.16.0.0/12), and the header in which they send the address of the client.
# They must overwrite this header, never pass on the visitor's. From everybody else it is ignored.
TRUSTED_PROXIES = words("TRUSTED_PROXIES")
CLIENT_ADDRESS_HEADER = text("CLIENT_ADDRESS_HEADER", default="X-Real-IP")

# --- The lines, one per heavy task. The key is the name of the queue, and part of the URL. The value is a module with a
# `heavy_task`. TASKS, RQ_QUEUES and the workers' default queues are made from this dict.

QUEUEING_TASKS = {
    "documents": "queueing.tasks.documents.task",
    "tables": "queueing.tasks.tables.task",
}
# Durations, limits and sizes. Their names, defaults and units are in queueing/conf.py and in the conf.py of each heavy
# task. The environment variable QUEUEING_<NAME> sets one.
QUEUEING: dict[str, Any] = prefixed("QUEUEING_")

# Default: the Valkey that `make run` starts. It listens on a Unix socket that only this user can open.
REDIS_URL = text("REDIS_URL", default=f"unix://{VAR_DIR / 'valkey' / 'valkey.sock'}?db=0")
# Seconds until a call to a hanging Redis fails, for web requests, consumers and workers. The value is explicit, because
# redis-py has different defaults for the two ways of making a client.
REDIS_TIMEOUT = 2.0
# Seconds that one web request may wait for Redis, in all of its commands together.
REDIS_ALLOWANCE = 1.0

RQ: dict[str, Any] = {
    "QUEUE_CLASS": "queueing.line.queue.LineQueue",
    "WORKER_CLASS": "queueing.work.worker.PresenceWorker",
    "COMMIT_MODE": "on_db_commit",
}
# A line may have a Redis of its own: REDIS_URL_TABLES, for example. All that is of no line is at REDIS_URL.
RQ_QUEUES = {
    name: {
        "URL": text(f"REDIS_URL_{name.upper().replace('-', '_')}", default=REDIS_URL),
        "SERIALIZER": "rq.serializers.JSONSerializer",
    }
    for name in QUEUEING_TASKS
}
# django-rq's pages show arguments and let any staff member empty a queue. Our own admin pages do neither.
RQ_SHOW_ADMIN_LINK = False

TASKS: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "queueing.backend.PresenceBackend",
        "QUEUES": list(QUEUEING_TASKS),
    }
}

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "queueing.line.hints.HintLayer",
        "CONFIG": {"hosts": [{"address": REDIS_URL, "socket_timeout": REDIS_TIMEOUT}]},
    }
}

# --- Django

INSTALLED_APPS = [
    # Makes `runserver` an ASGI server. Its import costs each process 0.15 s, workers and commands too.
    *(["daphne"] if "runserver" in sys.argv else []),
    "queueing",
    "queueing.tasks.documents",  # for its templates
    "queueing.tasks.tables",
    "channels",
    "django_rq",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "queueing.web.middleware.guard",
    "queueing.web.middleware.limit_redis",
    "queueing.web.middleware.DatabaseAway",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "queueing.web.sign_in.SignIn",  # Django's AuthenticationMiddleware, with an end of each sign-in
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

DATABASES = {"default": database(text("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'db.sqlite3'}"))}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # WAL: readers do not wait for the writer. IMMEDIATE: a transaction takes the write lock when it begins, so a second
    # writer waits for the first instead of failing half-way.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        # SQLite overwrites deleted rows: "Delete now" must not leave a name in the free pages of the file.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA secure_delete=ON;",
    }
elif DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    # Seconds to wait for a connection; milliseconds for somebody else's lock.
    DATABASES["default"].setdefault("OPTIONS", {})
    DATABASES["default"]["OPTIONS"].setdefault("connect_timeout", 5)
    DATABASES["default"]["OPTIONS"].setdefault("options", "-c lock_timeout=10000")
DATABASE_URL_IS_SET = bool(text("DATABASE_URL"))  # hints name the variable, and say so where it is not
if not DEBUG and not DATABASE_URL_IS_SET and not os.access(VAR_DIR, os.W_OK | os.X_OK):
    sys.stderr.write(f"DATABASE_URL is not set, and {VAR_DIR}, where SQLite's file would be, takes no file.\n")
# Connections to PostgreSQL that one web process has at most; each request that is under way needs one.
DATABASE_POOL = 10
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = True
FORMAT_MODULE_PATH = "config.formats"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = text("STATIC_ROOT", default=str(VAR_DIR / "static"))
MEDIA_ROOT = text("MEDIA_ROOT", default=str(VAR_DIR / "media"))
# A storage of objects for inputs and results, instead of MEDIA_ROOT: s3://KEY:SECRET@host/bucket
STORAGE_URL = text("STORAGE_URL")
try:
    objects = address.parsed(STORAGE_URL) if STORAGE_URL else None
except ValueError as error:
    refuse(str(error))
STORAGES = {
    "default": objects.storage if objects else {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "config.storage.MinifiedStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = DEBUG
warnings.filterwarnings("ignore", "No directory at")  # of WhiteNoise; a check at the start says it, with the command
# Inputs, results and static files are for the user of the site's processes alone.
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700
# Bytes; a larger upload is written to a temporary file instead of memory.
FILE_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

# --- Security

SECURE_CSP = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:", *([objects.origin] if objects else [])],  # the pictures of results
    "connect-src": [CSP.SELF],
    "font-src": [CSP.SELF],
    "manifest-src": [CSP.SELF],
    "form-action": [CSP.SELF],
    "base-uri": [CSP.NONE],
    "frame-ancestors": [CSP.NONE],
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SAMESITE = "Lax"
# A visitor's session has the name that the entries belong to. It is renewed at each join, and a line is a matter of
# hours; the keeper deletes expired sessions. A sign-in of staff ends sooner, by QUEUEING_SIGN_IN_AGE.
SESSION_COOKIE_AGE = 3 * 24 * 3600
SESSION_ENGINE = "queueing.web.sessions"
# Not in a cookie of their own: its name would have no prefix (see below).
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
AUTHENTICATION_BACKENDS = ["queueing.web.sign_in.SignInBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
CSRF_FAILURE_VIEW = "queueing.web.views.csrf_failure"
SILENCED_SYSTEM_CHECKS = ["queueing.W106"]  # daphne is an app where `runserver` is called, and nowhere else
if not DEBUG:
    # The proxy in front terminates TLS. It must set this header itself, never pass on the visitor's.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = boolean("SECURE_SSL_REDIRECT", default=True)
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = boolean("SECURE_COOKIES", default=True)
    if SESSION_COOKIE_SECURE:
        # With this prefix, browsers take the cookies from this very host only: no site beside it can plant one.
        SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
    SECURE_HSTS_SECONDS = number("SECURE_HSTS_SECONDS", default=365 * 24 * 3600)
    # Off by default: browsers then require HTTPS for every subdomain, for as long as SECURE_HSTS_SECONDS or the preload
    # list say. Only the owner of the domain can decide that.
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = boolean("SECURE_HSTS_PRELOAD", default=False)
    SILENCED_SYSTEM_CHECKS += ["security.W005", "security.W021"]  # both checks ask for the two settings above

# Lines for people; or JSON for programs, one object a line, with fields of entries and lines (queueing/logs.py).
LOG_FORMAT = one_of("LOG_FORMAT", "text", "json")
LINE_FORMATS: dict[str, dict[str, Any]] = {
    "text": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"},
    "json": {"()": "config.json_lines.JsonLines"},
}
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": LINE_FORMATS[LOG_FORMAT]},
    # Django's lines on refused requests: with the client's address, and not without a bound.
    "filters": {"requests": {"()": "queueing.web.audit.RequestLines"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["requests"]}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "queueing": {"level": one_of("LOG_LEVEL", "info", "debug", "warning", "error", "critical").upper()},
        # In JSON, a line for each entry that the keeper drops, beside the one for all of them.
        "queueing.each": {} if LOG_FORMAT == "json" else {"level": "WARNING"},
        # Django's own handler would print each line a second time with DEBUG=1.
        "django": {"handlers": [], "level": "WARNING"},
        # It reports every entry that a visitor leaves as an error; each move is logged by "queueing".
        "django.tasks": {"level": "CRITICAL"},
    },
}

for sentence in misspelt("QUEUEING_"):
    sys.stderr.write(f"{sentence}\n")
