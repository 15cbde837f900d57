"""A real browser before the page: Debian's Chromium, driven by Playwright, with scripts off as the page needs none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, Playwright, Route

QUIET = (
    "--headless",
    "--no-sandbox",  # it sees nothing but pages of this repository, and containers do not let it make a sandbox
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
ORIGIN = "http://localhost"  # where browsers take everything for trustworthy, as they do behind https

PATIENCE = 120_000  # milliseconds: nothing is late because a machine is busy

Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")
# What is asked for: the query of a GET. What is answered: status, headers, body.
Answer = tuple[int, Mapping[str, str], str]
Serve = Callable[[dict[str, str]], Answer]


def launched(playwright: Playwright, path: str) -> Browser:
    """Start Chromium."""
    return playwright.chromium.launch(executable_path=path, args=list(QUIET), timeout=PATIENCE)


@dataclass
class Look:
    """A page in a browser, and everything that it complained about or asked for."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def open(self, url: str = f"{ORIGIN}/") -> None:
        """Go there."""
        self.page.goto(url, wait_until="load")

    def wear(self, theme: Theme) -> None:
        """Prefer light or dark from now on."""
        self.page.emulate_media(color_scheme=theme)

    def resize(self, width: int) -> None:
        """Be as wide as that from now on."""
        self.page.set_viewport_size({"width": width, "height": 900})

    def names(self) -> list[str]:
        """Return the users in the table."""
        return self.page.locator("table.users tbody .who").all_inner_texts()

    def asks(self, script: str) -> Any:  # noqa: ANN401 - whatever JSON holds
        """Return what a script of the test's own finds out."""
        return self.page.evaluate(script)


@contextmanager
def looking(
    browser: Browser, *, width: int = 1280, height: int = 900, theme: Theme = "light", scale: float = 1
) -> Iterator[Look]:
    """Open an empty page, in a context of its own."""
    context: BrowserContext = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=theme,
        java_script_enabled=False,
        device_scale_factor=scale,
    )
    context.set_default_timeout(PATIENCE)
    try:
        yield Look(context.new_page())
    finally:
        context.close()


def serve(look: Look, answer: Serve) -> None:
    """Answer the page's requests, and let nothing go anywhere else."""

    def fulfil(route: Route) -> None:
        url = urlsplit(route.request.url)
        if f"{url.scheme}://{url.netloc}" != ORIGIN or url.path != "/":
            look.complaints.append(f"asked for {route.request.url}")
            route.abort()
            return
        status, headers, body = answer(dict(parse_qsl(url.query, keep_blank_values=True)))
        route.fulfill(status=status, headers=dict(headers), body=body)

    look.page.route("**/*", fulfil)


# Returns what is written in too little contrast with what is behind it (WCAG 2.2, 1.4.3 and 1.4.11), and how it is.
CONTRAST = """
() => {
  const parse = (text) => {
    const found = text.match(/rgba?\\(([^)]+)\\)/);
    if (!found) return null;
    const number = (each) => each.endsWith('%') ? +each.slice(0, -1) / 100 : +each;
    const parts = found[1].split(/[ ,/]+/).filter(Boolean).map(number);
    return [parts[0], parts[1], parts[2], parts.length > 3 ? parts[3] : 1];
  };
  const over = (top, under) => top.slice(0, 3).map((value, i) => value * top[3] + under[i] * (1 - top[3])).concat([1]);
  const behind = (element) => {
    const layers = [];
    for (let each = element; each; each = each.parentElement) {
      const colour = parse(getComputedStyle(each).backgroundColor);
      if (colour && colour[3] > 0) { layers.push(colour); if (colour[3] === 1) break; }
    }
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]);
  };
  const light = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, other) => {
    const [less, more] = [light(one), light(other)].sort((a, b) => a - b);
    return (more + 0.05) / (less + 0.05);
  };
  const failed = [];
  let looked = 0;
  const judge = (element, colour, least, what) => {
    const ground = behind(element);
    const found = ratio(over(colour, ground), ground);
    looked += 1;
    if (found < least) failed.push(`${what}: ${found.toFixed(2)} is less than ${least}`);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    const element = walker.currentNode.parentElement;
    if (!text || !element.checkVisibility() || element.closest('title, desc, style')) continue;
    const style = getComputedStyle(element);
    const drawn = element instanceof SVGElement;
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && +style.fontWeight >= 700);
    judge(element, parse(drawn ? style.fill : style.color), large ? 3 : 4.5, text.slice(0, 40));
  }
  for (const bar of document.querySelectorAll('rect.b')) {
    if (!bar.checkVisibility()) continue;
    judge(bar.ownerSVGElement, parse(getComputedStyle(bar).fill), 3, `a bar, ${bar.getAttribute('class')}`);
  }
  for (const field of document.querySelectorAll('input, select')) {
    judge(field.parentElement, parse(getComputedStyle(field).borderTopColor), 3, `the border of ${field.name}`);
  }
  return {looked, failed: [...new Set(failed)]};
}
"""
