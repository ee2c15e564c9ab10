"""The queue in a site of somebody else, by the blocks of docs/adopting.md around the wheel. See `tools/adopt.py`."""

import http.client
import json
import re
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from websockets.sync.client import connect
from websockets.typing import Origin

from tools.adopt import Site, adopted

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: str


class Browser:
    """A client with cookies."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.cookies: dict[str, str] = {}

    @property
    def cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def ask(self, method: str, path: str, body: str = "", kind: str = "application/x-www-form-urlencoded") -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Cookie": self.cookie, "Content-Type": kind} if body else {"Cookie": self.cookie}
        connection.request(method, path, body.encode() or None, headers)
        response = connection.getresponse()
        for value in response.headers.get_all("Set-Cookie") or []:
            name, _, rest = value.partition("=")
            self.cookies[name] = rest.split(";")[0]
        answer = Answer(response.status, dict(response.headers.items()), response.read().decode())
        connection.close()
        return answer


@pytest.fixture(scope="module", params=[False, True], ids=["steps", "extras"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    with adopted(extras=request.param) as made:
        yield made


@pytest.fixture
def browser(site: Site) -> Browser:
    return Browser(site.port)


def join(browser: Browser) -> str:
    """Hand in a text; returns the path of the entry's page."""
    browser.ask("GET", "/queue/join/words/")
    token = browser.cookies["csrftoken"]
    answer = browser.ask("POST", "/queue/join/words/", f"csrfmiddlewaretoken={token}&text=the+rose+is+the+rose")
    assert answer.status == 303, answer.body
    return answer.headers["Location"]


def test_a_task_goes_from_its_form_to_its_result(site: Site, browser: Browser) -> None:
    home = browser.ask("GET", "/queue/").body
    assert "Count words" in home
    assert "The shop" in home
    page = join(browser)
    assert browser.ask("GET", page).status == 200
    deadline = time.monotonic() + 60
    while (told := json.loads(browser.ask("GET", f"{page}status.json").body))["status"] in {"waiting", "running"}:
        assert time.monotonic() < deadline, site.logs()
        time.sleep(0.2)
    assert told["status"] == "succeeded", site.logs()
    assert "5 words, 3 different ones." in browser.ask("GET", page).body


def test_a_page_has_its_socket_scripts_and_styles(site: Site, browser: Browser) -> None:
    page = browser.ask("GET", join(browser)).body
    addresses = re.findall(r'(?:src|href)="(/static/[^"]+)"', page)
    assert len(addresses) > 5
    if site.serves_static_files:
        assert {browser.ask("GET", address).status for address in addresses} == {200}
    (path,) = re.findall(r'data-socket="([^"]+)"', page)
    origin = Origin(f"http://127.0.0.1:{site.port}")
    with connect(
        f"ws://127.0.0.1:{site.port}{path}", origin=origin, additional_headers={"Cookie": browser.cookie}, proxy=None
    ) as socket:
        assert json.loads(socket.recv(10))["type"] == "status"


def test_the_rest_of_the_site_is_its_own(site: Site, browser: Browser) -> None:
    assert "The site's own base" in browser.ask("GET", "/").body
    assert "Content-Security-Policy" not in browser.ask("GET", "/").headers
    large = json.dumps({"text": "x" * 200_000})
    answer = browser.ask("POST", "/api/", large, "application/json")
    assert json.loads(answer.body) == {"type": "application/json", "size": 200_000}
    admin = browser.ask("GET", "/admin/login/").body
    assert "queueing/" not in admin


def test_staff_see_the_lines(site: Site, browser: Browser) -> None:
    shell = "from django.contrib.auth.models import User; User.objects.filter(username='anna').exists() or "
    site.run(
        f"""python manage.py shell -v 0 -c "{shell}User.objects.create_superuser('anna', password='plover-61')" """
    )
    browser.ask("GET", "/admin/login/")
    token = browser.cookies["csrftoken"]
    form = f"csrfmiddlewaretoken={token}&username=anna&password=plover-61&next=/admin/"
    assert browser.ask("POST", "/admin/login/", form).status == 302
    for path in ("/admin/queueing/line/", "/admin/queueing/line/page/words/", "/admin/queueing/entry/"):
        answer = browser.ask("GET", path)
        assert answer.status == 200, path
        assert "queueing/admin/admin.css" in answer.body, path
