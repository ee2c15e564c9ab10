"""The looks of a page: its pictures, barriers that axe finds, and its fit into the window."""

import json
from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from django.conf import settings
from playwright.sync_api import Page, ViewportSize

PICTURES = settings.VAR_DIR / "pictures"
WIDE, NARROW = ViewportSize(width=1280, height=800), ViewportSize(width=360, height=740)
ZOOMED = ViewportSize(width=640, height=400)  # 1280 px at 200 % (WCAG 1.4.4)
NARROWEST = ViewportSize(width=320, height=640)  # 1280 px at 400 % (WCAG 1.4.10)

# What axe-core is asked for: all of WCAG 2.2 AA once wide and once narrow, and the colours each time.
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
COLOURS = ["color-contrast", "link-in-text-block"]

BOTH, LIGHT = ("light", "dark"), ("light",)


def look(page: Page, name: str, schemes: tuple[str, ...] = BOTH) -> None:
    """Take a picture of this state wide and narrow, in light and dark, and fail on whatever is wrong with it.

    Light is enough for a page that differs from another one in its words alone.
    """
    PICTURES.mkdir(exist_ok=True)
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)  # through the debugger, to which the content policy does not apply
    found: dict[str, Any] = {}
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        page.set_viewport_size(WIDE)
        page.screenshot(path=PICTURES / f"{name}-wide-{scheme}.png", full_page=True)
        found[f"wide {scheme}"] = barriers(page, WCAG if scheme == "light" else COLOURS)
        page.set_viewport_size(NARROW)
        page.screenshot(path=PICTURES / f"{name}-narrow-{scheme}.png", full_page=True)
        page.set_viewport_size(NARROWEST)
        found[f"narrow {scheme}"] = barriers(page, WCAG if scheme == "dark" else COLOURS) | too_wide(page)
    page.set_viewport_size(ZOOMED)
    found["200 %"] = too_wide(page)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(WIDE)
    page.evaluate("document.documentElement.style.fontSize = '200%'")  # the text alone is enlarged
    found["200 % text"] = too_wide(page) | cut_off(page)
    page.evaluate("document.documentElement.style.fontSize = ''")
    problems = {variant: here for variant, here in found.items() if here}
    assert not problems, f"{name}: {json.dumps(problems, indent=1)}"


def barriers(page: Page, names: list[str]) -> dict[str, list[str]]:
    """The findings of axe-core, by rule; `names` are its tags or rules. Colours that change come to rest before."""
    found: dict[str, list[str]] = page.evaluate(
        """async (names) => {
            const moves = document.getAnimations().filter((one) => one.effect.getTiming().iterations !== Infinity);
            await Promise.allSettled(moves.map((one) => one.finished));
            const options = { runOnly: names, resultTypes: ["violations"] };
            // Part of WCAG 2.2 AA, and off unless asked for.
            if (names.includes("wcag22aa")) options.rules = { "target-size": { enabled: true } };
            const { violations } = await axe.run(options);
            return Object.fromEntries(violations.map(({ id, nodes }) => [id, nodes.map((node) =>
                `${node.target} ${node.failureSummary}`)]));
        }""",
        names,
    )
    return found


def too_wide(page: Page) -> dict[str, list[str]]:
    """The elements that make the page scroll sideways."""
    found: dict[str, list[str]] = page.evaluate(
        """() => {
            const edge = document.documentElement.clientWidth;
            if (document.documentElement.scrollWidth <= edge) return {};
            const beyond = [...document.querySelectorAll("body *")].filter((e) =>
                e.getBoundingClientRect().right > edge + 1);
            return { "scrolls sideways": beyond.map((e) => e.outerHTML.slice(0, 80)) };
        }"""
    )
    return found


def cut_off(page: Page) -> dict[str, list[str]]:
    """Texts that stick out of their box, or that are hidden where it ends."""
    found: dict[str, list[str]] = page.evaluate(
        """() => {
            const texts = [...document.querySelectorAll("body *:not(.unseen, .skip, svg *)")].filter((e) =>
                e.clientWidth && [...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.data.trim()));
            const beyond = texts.filter((e) => {
                const hides = getComputedStyle(e).overflowY !== "visible";
                return e.scrollWidth > e.clientWidth + 1 || (hides && e.scrollHeight > e.clientHeight + 1);
            });
            return beyond.length ? { "is cut off": beyond.map((e) => e.outerHTML.slice(0, 80)) } : {};
        }"""
    )
    return found
