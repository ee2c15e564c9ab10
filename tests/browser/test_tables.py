"""The pages of the task "tables": the preview with and without a script, the result, and Change."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import FilePayload, Page, expect

from queueing import events
from queueing.models import Entry, EntryFile
from queueing.tasks.tables.page import page as page_of_profile
from queueing.tasks.tables.task import profile_table
from queueing.testing.tasks import run_task
from tests.support.browser.looks import LIGHT, NARROW, look, too_wide
from tests.support.browser.site import PATIENT, Site
from tests.support.paths import TABLE

pytestmark = pytest.mark.slow  # the whole way of a table, some of it three times

Visitors = Callable[..., Page]

ROWS = "имя;город;доля\nИван;Дубна;1,5\nАнна;Тверь;2,5\n" * 3  # noqa: RUF001  # Russian
RUSSIAN = FilePayload(name="towns.csv", mimeType="text/csv", buffer=ROWS.encode("cp1251"))


@pytest.fixture
def site(deployed: Site, transactional_db: None, settings: Any) -> Site:
    settings.QUEUEING = PATIENT
    return deployed


def choose(page: Page, file: FilePayload | Path) -> None:
    page.locator("input[type=file]").set_input_files(file)


def test_the_first_rows_are_shown_when_a_file_is_chosen_and_again_after_a_choice(
    site: Site, visitors: Visitors
) -> None:
    page = visitors()
    sent = list[int]()
    page.on("request", lambda asked: sent.append(int(asked.headers.get("content-length", 0))))
    page.goto("/join/tables/")
    choose(page, RUSSIAN)
    shown = page.get_by_role("region", name="The first rows, as they would be read")
    expect(shown).to_be_visible()
    look(page, "tables-preview", LIGHT)
    page.get_by_text("How it is written").click()
    page.get_by_label("Encoding").select_option("cp1251")
    expect(shown.get_by_role("cell", name="Дубна").first).to_be_visible()
    expect(page.locator("[data-preview]")).to_contain_text("Read as Windows-1251, semicolon.")
    expect(page.get_by_role("status")).to_have_text("Read as Windows-1251, semicolon.")
    look(page, "tables-choices")
    assert not Entry.objects.exists()
    choose(page, FilePayload(name="large.csv", mimeType="text/csv", buffer=b"town,n\nBree,1\n" * 400_000))
    expect(shown.get_by_role("cell", name="Bree").first).to_be_visible()
    assert max(sent) < 1.1 * 1024**2 + 64 * 1024
    page.get_by_role("button", name="Join the line").click()
    page.wait_for_url("**/entry/**")
    assert Entry.objects.get().kwargs["encoding"] == "cp1251"


def test_a_file_that_is_no_table_is_told_before_it_is_sent_as_a_whole(site: Site, visitors: Visitors) -> None:
    page = visitors()
    page.goto("/join/tables/")
    choose(page, FilePayload(name="a.csv", mimeType="text/csv", buffer=b'{"a": 1}'))
    expect(page.locator("[data-preview]")).to_have_text("This is JSON, not a table; save it as CSV.")
    choose(page, TABLE)
    expect(page.locator("[data-preview]")).to_contain_text("Read as UTF-8, comma.")
    expect(page.locator("[data-preview]")).not_to_contain_text("JSON")


def test_without_a_script_the_first_rows_stand_in_a_frame_and_the_file_stays_chosen(
    site: Site, visitors: Visitors
) -> None:
    page = visitors(java_script_enabled=False)
    page.goto("/join/tables/")
    choose(page, RUSSIAN)
    page.get_by_text("How it is written").click()
    page.get_by_label("Encoding").select_option("cp1251")
    page.get_by_role("button", name="Show the first rows").click()
    frame = page.frame_locator("iframe[name=preview]")
    expect(frame.get_by_role("cell", name="Дубна").first).to_be_visible()
    assert page.url.endswith("/join/tables/")
    assert not Entry.objects.exists()
    page.screenshot(path="var/pictures/tables-preview-noscript.png", full_page=True)
    page.get_by_role("button", name="Join the line").click()
    page.wait_for_url("**/entry/**")
    entry = Entry.objects.get()
    with entry.input.open() as stored:
        assert (entry.kwargs["encoding"], stored.read()) == ("cp1251", RUSSIAN["buffer"])


def result_of(tmp_path: Path, **more: Any) -> Any:
    """The sample's result, with more in its profile than the sample has."""
    profile = json.loads(run_task(profile_table, file=TABLE).files["profile.json"])
    profile["columns"].append(profile["columns"][0] | {"name": "a name that is rather long for a column " * 3})
    lines = TABLE.read_text().splitlines()
    doubts = [
        {
            "choice": "encoding",
            "read_as": "cp1251",
            "label": "Windows-1251",
            "others": [{"value": "koi8-r", "label": "KOI8-R"}],
        },
        {
            "choice": "dates",
            "read_as": "day",
            "label": "day first",
            "columns": ["lent_on"],
            "others": [{"value": "month", "label": "month first"}],
        },
    ]
    found = {
        "encoding": "Windows-1251",
        "doubts": doubts,
        "sample": [line.split(",") for line in lines[1:11]],
        "odd_rows": [{"row": 17, "fields": 14, "text": lines[17]}, {"row": 1904, "fields": 2, "text": "Total,2000"}],
        "apart": [{"what": "totals", "rows": [["Total", "", "", "2000"]], "count": 1}],
        "short_rows": 1,
        "long_rows": 1,
    }
    return page_of_profile(profile | found | more)


def succeed(entry: Entry, result: Any) -> None:
    entry.start("w")
    files = [
        EntryFile(entry=entry, attempt=1, name=name, content_type="text/plain", size=1)
        for name in ("profile.json", "table.parquet")
    ]
    assert entry.succeed(result, files)
    events.publish(entry.code)


def test_a_result_is_an_overview_that_opens_and_can_be_read_in_another_way(
    site: Site, visitors: Visitors, tmp_path: Path
) -> None:
    page = visitors()
    page.goto("/join/tables/")
    page.get_by_role("button", name="Try it with our sample").click()
    page.wait_for_url("**/entry/**")
    entry = Entry.objects.get()
    succeed(entry, result_of(tmp_path))
    expect(page.get_by_role("heading", name="Here is your result")).to_be_visible()
    expect(page.get_by_text("Encoding: read as Windows-1251; KOI8-R fits, too.")).to_be_visible()
    look(page, "tables-result", LIGHT)
    page.set_viewport_size(NARROW)
    assert page.locator(".overview").bounding_box()["height"] < 1300  # type: ignore[index]  # it is visible
    for name in ("days", "branch"):
        page.locator("summary", has_text=name).first.click()
    expect(page.get_by_role("img", name="Histogram of days")).to_be_visible()
    page.get_by_text("Change how it is read").click()
    look(page, "tables-result-open")
    assert too_wide(page) == {}
    page.get_by_label("Encoding").select_option("koi8-r")
    page.get_by_role("button", name="Join the line again").click()
    page.wait_for_url(lambda url: str(entry.code) not in url)
    new = Entry.objects.exclude(pk=entry.pk).get()
    assert (new.kwargs["encoding"], new.kwargs["dates"], new.input.name) == ("koi8-r", "day", entry.input.name)


def test_change_needs_no_script(site: Site, visitors: Visitors, tmp_path: Path) -> None:
    page = visitors(java_script_enabled=False)
    page.goto("/join/tables/")
    page.get_by_role("button", name="Try it with our sample").click()
    page.wait_for_url("**/entry/**")
    entry = Entry.objects.get()
    succeed(entry, result_of(tmp_path))
    page.reload()
    page.get_by_text("Change how it is read").click()
    page.get_by_label("Delimiter").select_option("tab")
    page.get_by_role("button", name="Join the line again").click()
    page.wait_for_url(lambda url: str(entry.code) not in url)
    assert Entry.objects.exclude(pk=entry.pk).get().kwargs["delimiter"] == "tab"
