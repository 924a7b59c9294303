"""The report in a real browser: it runs nothing of others, and everybody can read it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python import sync_playwright as axe
from playwright import sync_api
from reports import CONSTANT, HOSTILE, STAGE, incident

import cascadesim
from cascadesim.report.data import report


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return addresses of reports."""
    folder = tmp_path_factory.mktemp("reports")
    hostile, constant = folder / "hostile.yaml", folder / "constant.yaml"
    hostile.write_text(HOSTILE)
    constant.write_text(CONSTANT)
    made = {
        "hostile": report(cascadesim.load(hostile), replications=1),
        "constant": report(cascadesim.load(constant), replications=1),
        "incident": incident(),
    }
    addresses = {}
    for name, each in made.items():
        file = folder / f"{name}.html"
        file.write_text(each.html, "utf-8")
        addresses[name] = file.as_uri()
    return addresses


class Opened:
    """A page, and what it did that it should not."""

    def __init__(self, browser: Any, address: str, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", self._dialog)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(address)

    def _dialog(self, dialog: Any) -> None:
        self.complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()


@pytest.fixture
def opened(browser: Any, pages: dict[str, str]) -> Iterator[Any]:
    """Return a function that opens a report by its name."""
    contexts = []

    def open_page(name: str, **options: Any) -> Opened:
        found = Opened(browser, pages[name], **options)
        contexts.append(found.context)
        return found

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize("name", ["hostile", "constant", "incident"])
def test_it_loads_without_a_word_and_without_the_network(opened: Any, name: str) -> None:
    it = opened(name)
    it.page.wait_for_load_state("networkidle")
    assert it.complaints == []
    loaded = [url for url in it.requests if not url.startswith("data:")]
    assert loaded == [it.page.url]


@pytest.mark.slow
def test_names_are_text(opened: Any) -> None:
    page = opened("hostile").page
    assert page.title().startswith("</title><script>alert('name')</script>")
    assert page.evaluate("document.scripts.length") == 1
    assert STAGE in page.locator("#timeline").text_content()
    assert page.locator("main b, main script, main img:not([src^='data:'])").count() == 0


def column(page: Any, caption: str, number: int) -> list[str]:
    table = page.locator("table", has=page.locator("caption", has_text=caption))
    return [
        text.strip() for text in table.locator(f"tbody tr > :nth-child({number})").all_inner_texts()
    ]


@pytest.mark.slow
def test_a_table_is_sorted_by_number_with_the_mouse_and_by_name_with_keys(opened: Any) -> None:
    page = opened("incident").page
    caption = "What percentiles are made of"
    table = page.locator("table", has=page.locator("caption", has_text=caption))
    latency = [float(text) for text in column(page, caption, 3)]
    head = table.locator("thead th").nth(2)
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    assert [float(text) for text in column(page, caption, 3)] == sorted(latency) != latency
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert [float(text) for text in column(page, caption, 3)] == sorted(latency)[::-1]
    name = table.locator("thead th").nth(0)
    name.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert (name.get_attribute("aria-sort"), head.get_attribute("aria-sort")) == ("ascending", None)
    names = column(page, caption, 1)
    assert names == sorted(names)
    page.keyboard.press("Space")
    assert column(page, caption, 1) == names[::-1]


@pytest.mark.slow
def test_percentiles_are_sorted_as_numbers_and_not_as_text(opened: Any) -> None:
    page = opened("incident").page
    caption = "What percentiles are made of"
    table = page.locator("table", has=page.locator("caption", has_text=caption))
    table.locator("thead th").nth(1).get_by_role("button").click()
    assert list(dict.fromkeys(column(page, caption, 2))) == ["p50", "p95", "p99", "max"]


@pytest.mark.slow
def test_pointing_at_a_request_tells_of_it_and_marks_it_in_other_variants(opened: Any) -> None:
    page = opened("incident").page
    tip = page.locator("#tip")
    assert tip.is_hidden()
    plots = page.locator(".plot")
    plots.nth(0).scroll_into_view_if_needed()
    ring = plots.nth(0).locator("circle.observed").bounding_box()
    page.mouse.move(ring["x"] + ring["width"] / 2, ring["y"] + ring["height"] / 2)
    assert tip.is_visible()
    text = tip.inner_text()
    for words in ("before", "arrived 23:29:59.728", "took 60.272 s", "ok"):
        assert words in text
    assert "59.555 s breaker wait in agent.reliability_manager" in text
    assert re.search(r"agent-breaker: took [0-9.]+ s, ok", text)
    assert plots.nth(1).locator("circle.told").count() == 1
    page.keyboard.press("Escape")
    assert tip.is_hidden()
    assert page.locator("circle.told").count() == 0


@pytest.mark.slow
def test_the_keyboard_reaches_requests(opened: Any) -> None:
    page = opened("incident").page
    tip, told = page.locator("#tip"), page.locator("#told")
    page.locator("#timeline details").nth(0).locator("summary").focus()
    page.keyboard.press("Tab")
    slowest = tip.inner_text()  # with which it begins
    marks = (
        page.locator(".plot")
        .nth(0)
        .locator("use")
        .evaluate_all("(marks) => marks.map((mark) => Number(mark.getAttribute('y')))")
    )
    assert float(page.locator(".plot").nth(0).locator("circle.told").get_attribute("cy")) == min(
        marks
    )
    page.keyboard.press("ArrowDown")
    second = tip.inner_text()
    assert second != slowest
    assert took(second) <= took(slowest)
    assert f"took {took(second):.3f} s" in told.text_content()
    page.keyboard.press("ArrowUp")
    assert tip.inner_text() == slowest
    page.keyboard.press("End")
    last = tip.inner_text()
    page.keyboard.press("ArrowLeft")
    assert arrived(tip.inner_text()) < arrived(last)
    page.keyboard.press("ArrowRight")
    assert tip.inner_text() == last


@pytest.mark.slow
def test_on_a_phone_the_keyboard_brings_requests_into_view(opened: Any) -> None:
    page = opened("incident", viewport={"width": 390, "height": 844}, reduced_motion="reduce").page
    page.locator("#timeline details").nth(0).locator("summary").focus()
    page.keyboard.press("Tab")
    for key in ("Home", "End"):
        page.keyboard.press(key)
        box = page.locator(".plot").nth(0).locator("circle.told").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        assert box["y"] + box["height"] <= 844
        assert page.locator("#tip").is_visible()


def took(text: str) -> float:
    return float(re.findall(r"took ([0-9.]+) s", text)[0])


def arrived(text: str) -> str:
    return str(re.findall(r"arrived ([0-9:.]+)", text)[0])


@pytest.mark.slow
def test_it_is_whole_without_scripts(opened: Any) -> None:
    it = opened("incident", java_script_enabled=False)
    assert it.complaints == []
    page = it.page
    assert page.locator("th button").count() == 0  # none that does nothing
    assert page.locator(".with-script").is_hidden()
    titles = page.locator(".plot use title").all_text_contents()
    assert any("took 60.272 s; ok; 59.555 s breaker wait in agent" in title for title in titles)
    page.get_by_text("The scenario as it is written").click()
    assert page.get_by_text("# Every value is marked as given").is_visible()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["hostile", "constant"])
def test_axe_finds_nothing(opened: Any, name: str, scheme: str) -> None:
    page = opened(name, color_scheme=scheme, viewport={"width": 1280, "height": 900}).page
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    page.locator(".plot").nth(0).focus()
    found = axe.Axe().run(page).response
    assert [
        (each["id"], [node["target"] for node in each["nodes"]]) for each in found["violations"]
    ] == []


@pytest.mark.slow
def test_axe_finds_nothing_on_a_phone(opened: Any) -> None:
    page = opened("incident", viewport={"width": 390, "height": 844}).page
    found = axe.Axe().run(page).response
    assert [each["id"] for each in found["violations"]] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hostile", "incident"])
def test_the_page_itself_never_scrolls_sideways(opened: Any, name: str) -> None:
    page = opened(name).page
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    for width in (1280, 390, 320):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.slow
def test_on_a_phone_a_tip_stays_on_the_screen(opened: Any) -> None:
    page = opened("incident", viewport={"width": 390, "height": 844}, has_touch=True).page
    page.locator(".plot").nth(0).scroll_into_view_if_needed()
    box = "mark.getBoundingClientRect()"
    marks = page.locator(".plot").nth(0).locator("use")
    places = marks.evaluate_all(f"(marks) => marks.map((mark) => [{box}.x, {box}.y])")
    x, y = max(place for place in places if place[0] < 370)  # by the edge of the screen
    page.touchscreen.tap(x + 2, y + 2)
    tip = page.locator("#tip").bounding_box()
    assert tip is not None
    assert tip["x"] >= 0
    assert tip["x"] + tip["width"] <= 390


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hostile", "incident"])
def test_on_paper_nothing_is_cut_off(opened: Any, name: str) -> None:
    page = opened(name, viewport={"width": 680, "height": 962}).page  # A4 within its margins
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") <= 680


@pytest.mark.slow
def test_on_paper_everything_is_unfolded_and_dark_on_white(opened: Any) -> None:
    page = opened("incident", color_scheme="dark", java_script_enabled=False).page
    page.emulate_media(media="print", color_scheme="dark")
    body = page.locator("body")
    colours = body.evaluate(
        "(e) => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor]"
    )
    assert colours == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
    assert page.locator("nav").is_hidden()
    assert page.get_by_text("# Every value is marked as given").is_visible()
    for region in page.locator(".scroll").all():
        assert region.evaluate("(e) => getComputedStyle(e).overflowX") == "visible"


@pytest.mark.slow
def test_it_is_printed_on_paper(opened: Any, tmp_path: Path) -> None:
    page = opened("incident").page
    page.pdf(path=tmp_path / "report.pdf", format="A4")
    # Its scripts unfold what was folded, and fold it again.
    assert page.locator("details:not([open])").count() == 2
    content = (tmp_path / "report.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", content)) > 3
