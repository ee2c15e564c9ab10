"""The queue in a site of somebody else, by the blocks of docs/adopting.md around the wheel. See `tools/adopt.py`."""

import http.client
import json
import re
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from playwright.sync_api import Page, expect
from websockets.sync.client import connect
from websockets.typing import Origin

from tools.adopt import Site, Steps, adopted

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: str


class Client:
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
def client(site: Site) -> Client:
    return Client(site.port)


def join(client: Client) -> str:
    """Hand in a text; returns the path of the entry's page."""
    client.ask("GET", "/queue/join/words/")
    token = client.cookies["csrftoken"]
    answer = client.ask("POST", "/queue/join/words/", f"csrfmiddlewaretoken={token}&text=the+rose+is+the+rose")
    assert answer.status == 303, answer.body
    return answer.headers["Location"]


def test_a_task_goes_from_its_form_to_its_result(site: Site, client: Client) -> None:
    home = client.ask("GET", "/queue/").body
    assert "Count words" in home
    assert "The shop" in home
    page = join(client)
    assert client.ask("GET", page).status == 200
    deadline = time.monotonic() + 60
    while (told := json.loads(client.ask("GET", f"{page}status.json").body))["status"] in {"waiting", "running"}:
        assert time.monotonic() < deadline, site.logs()
        time.sleep(0.2)
    assert told["status"] == "succeeded", site.logs()
    assert "5 words, 3 different ones." in client.ask("GET", page).body


def test_a_page_has_its_socket_scripts_and_styles(site: Site, client: Client) -> None:
    page = client.ask("GET", join(client)).body
    addresses = re.findall(r'(?:src|href)="(/static/[^"]+)"', page)
    assert len(addresses) > 5
    if site.serves_static_files:
        assert {client.ask("GET", address).status for address in addresses} == {200}
    (path,) = re.findall(r'data-socket="([^"]+)"', page)
    origin = Origin(site.url)
    with connect(
        f"ws://127.0.0.1:{site.port}{path}", origin=origin, additional_headers={"Cookie": client.cookie}, proxy=None
    ) as socket:
        assert json.loads(socket.recv(10))["type"] == "status"


def test_a_socket_of_the_site_is_beside_those_of_the_queue(site: Site, client: Client) -> None:
    if site.serves_static_files:
        pytest.skip("The site of the steps has no sockets of its own.")
    address, origin = f"ws://127.0.0.1:{site.port}/ws/echo/", Origin(site.url)
    with connect(address, origin=origin, proxy=None) as socket:
        socket.send("rose")
        assert socket.recv(10) == "rose"


def test_the_log_has_each_move_and_each_deed_once(site: Site, client: Client) -> None:
    """By the app itself, and by the LOGGING that the document calls worth adding."""
    make_anna(site)
    assert sign_in(client, "wrong").status == 200
    assert sign_in(client, "plover-61").status == 302
    page = join(client)
    code = page.split("/")[-2]
    assert client.ask("GET", page).status == 200
    told = (
        f"entry {code} joined words",
        f"entry {code} attempt 1: waiting -> running",
        "'anna' signs in from 127.0.0.1",
        "A sign-in failed: name='anna' from 127.0.0.1",
    )
    deadline = time.monotonic() + 60
    while any(text not in site.logs() for text in told):
        assert time.monotonic() < deadline, site.logs()
        time.sleep(0.2)
    log = site.logs()
    assert [log.count(text) for text in told[:2]] == [1, 1]
    assert "keeper: holds, drops and recovers the entries of words" in log


def test_the_rest_of_the_site_is_its_own(site: Site, client: Client) -> None:
    assert "The site's own base" in client.ask("GET", "/").body
    assert "Content-Security-Policy" not in client.ask("GET", "/").headers
    large = json.dumps({"text": "x" * 200_000})
    answer = client.ask("POST", "/api/", large, "application/json")
    assert json.loads(answer.body) == {"type": "application/json", "size": 200_000}
    admin = client.ask("GET", "/admin/login/").body
    assert "queueing/" not in admin


def test_a_new_site_has_applied_one_migration(site: Site) -> None:
    assert re.findall(r"\[X\] (\w+)", site.run("python manage.py showmigrations queueing")) == [
        "0001_squashed_0015_enqueue"
    ]
    assert "No changes detected" in site.run("python manage.py makemigrations --check --dry-run")


def test_the_kit_tests_the_task_beside_the_running_site(site: Site, client: Client) -> None:
    page = join(client)
    for kind, text in Steps().tests:
        said = site.step(kind, text)
    assert "2 passed" in said
    assert client.ask("GET", page).status == 200  # nothing of the site was emptied
    extra = site.run("python -m pytest -p queueing.testing.plugin --fixtures -q")
    assert extra.count("new_visitor --") == 1


def make_anna(site: Site) -> None:
    """A member of staff who may do everything."""
    shell = "from django.contrib.auth.models import User; User.objects.filter(username='anna').exists() or "
    site.run(
        f"""python manage.py shell -v 0 -c "{shell}User.objects.create_superuser('anna', password='plover-61')" """
    )


def sign_in(client: Client, password: str) -> Answer:
    client.ask("GET", "/admin/login/")
    token = client.cookies["csrftoken"]
    form = f"csrfmiddlewaretoken={token}&username=anna&password={password}&next=/admin/"
    return client.ask("POST", "/admin/login/", form)


def test_staff_see_the_lines(site: Site, client: Client) -> None:
    make_anna(site)
    assert sign_in(client, "plover-61").status == 302
    for path in ("/admin/queueing/line/", "/admin/queueing/line/page/words/", "/admin/queueing/entry/"):
        answer = client.ask("GET", path)
        assert answer.status == 200, path
        assert "queueing/admin/admin.css" in answer.body, path


def test_a_browser_runs_a_task_and_has_its_place_in_a_page_of_the_site(
    site: Site, visitors: Callable[..., Page]
) -> None:
    if not site.serves_static_files:
        pytest.skip("The web process of production leaves static files to another server.")
    page = visitors()
    page.goto("/queue/join/words/")
    page.get_by_label("Text").fill("the rose is the rose")
    page.get_by_role("button", name="Join the line").click()
    expect(page.get_by_text("5 words, 3 different ones.")).to_be_visible(timeout=60_000)
    (code,) = re.findall(r"/queue/entry/([^/]+)/", page.url)
    page.goto(f"/places/{code}/")
    expect(page.get_by_role("heading", name="The site's own page")).to_be_visible()
    frame = page.frame_locator("iframe.queue-card")
    expect(frame.get_by_text("5 words, 3 different ones.")).to_be_visible()
    frame.get_by_role("link", name="Start anew").click()  # leaves the frame
    expect(page).to_have_url(f"{site.url}/queue/join/words/")
