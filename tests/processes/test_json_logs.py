"""The log as JSON: each line an object, and all lines about an entry in one trace, from its join to its horse."""

import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from queueing import joining
from queueing.conf import conf
from queueing.line.signs import is_keeper_alive
from queueing.line.workers import live_workers
from queueing.models import Entry
from queueing.states import Status
from tests.support.entries import status_of
from tests.support.posting import Poster
from tests.support.processes import Processes
from tests.support.servers import free_port
from tests.support.waiting import wait_for
from tests.support.web import Web, is_listening

TRACE = "0af7651916cd43dd8448eb211c80319c"


def lines_of(processes: Processes) -> list[dict[str, Any]]:
    """All lines of all processes; of a line that is being written nothing."""
    texts = [path.read_text().rpartition("\n")[0] for path in sorted(processes.folder.glob("*.log"))]
    return [json.loads(line) for text in texts for line in text.splitlines()]


@pytest.fixture
def in_json(processes: Processes) -> Processes:
    processes.environment |= {"LOG_FORMAT": "json", "PYTHONWARNINGS": "ignore"}
    return processes


def test_each_line_is_an_object_and_a_trace_leads_from_the_join_to_the_horse(in_json: Processes) -> None:
    """From the start to the end of all processes, as the Procfile starts them."""
    port = free_port()
    started = [
        in_json.start("-m", "config.serve", "--port", str(port)),
        in_json.manage("rqworker-pool", "probe", "--num-workers", "1"),
        in_json.manage("keeper"),
    ]
    wait_for(lambda: is_listening(port) and live_workers("probe") and is_keeper_alive())
    poster = Poster(port, "probe")
    poster.headers["traceparent"] = f"00-{TRACE}-b7ad6b7169203331-01"
    assert poster.send(b"a,b\n1,2\n").code == 303
    entry = Entry.objects.get()
    joining.look(entry, conf.POLL_TTL)
    failing = joining.enqueue(entry.heavy_task.task, [], {"end": "error"}, needs_presence=False)
    dying = joining.enqueue(entry.heavy_task.task, [], {"end": "die"}, needs_presence=False)
    wait_for(lambda: [status_of(one) for one in (entry, failing, dying)] == ["succeeded", "failed", "failed"])
    for process in started:
        process.terminate()
    for process in started:
        process.wait(30)
    lines = lines_of(in_json)
    of_entry = [line for line in lines if line.get("entry") == str(entry.code)]
    assert [(line["event"], line["status"], line["actor"]) for line in of_entry] == [
        ("join", "waiting", "visitor"),
        ("move", "running", "worker"),
        ("move", "succeeded", "worker"),
    ]
    assert {line["trace_id"] for line in of_entry} == {TRACE}
    assert [line["worker"] for line in of_entry] == ["", *entry.worker_ids, *entry.worker_ids]
    assert len({line["process"] for line in of_entry}) == 2  # the web process, and the horse
    assert {line["level"] for line in of_entry} == {"INFO"}
    (error,) = [line for line in lines if line.get("event") == "error"]
    assert (error["entry"], error["level"], error["trace_id"]) == (str(failing.code), "ERROR", failing.code.hex)
    assert "RuntimeError: secret detail" in error["exc_info"]


@pytest.mark.slow
def test_the_keeper_says_whom_it_drops(in_json: Processes) -> None:
    web = Web(in_json).wait()
    in_json.keeper()
    assert Poster(web.port, "probe").send(b"a,b\n1,2\n").code == 303
    unseen = Entry.objects.get()
    wait_for(lambda: status_of(unseen) == Status.ABANDONED)
    wait_for(lambda: [line for line in lines_of(in_json) if line.get("event") == "drop"])
    (drop,) = [line for line in lines_of(in_json) if line.get("status") == "abandoned"]
    assert (drop["entry"], drop["event"], drop["reason"], drop["actor"]) == (
        str(unseen.code),
        "move",
        "unseen",
        "keeper",
    )


@pytest.mark.slow
def test_a_line_on_a_request_names_no_file(in_json: Processes) -> None:
    web = Web(in_json).wait()
    address = f"http://127.0.0.1:{web.port}/entry/00000000-0000-0000-0000-000000000000/files/my-secret-name.pdf"
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(address)
    (line,) = wait_for(lambda: [line for line in lines_of(in_json) if line["logger"] == "django.request"])
    assert line["status_code"] == 404
    assert "<uuid:code>" in line["message"]
    assert "my-secret-name" not in in_json.logs()
