"""A terminal's screen as an SVG that needs nothing from anywhere: no font, no link, no script."""

from __future__ import annotations

import io
from collections.abc import Callable

from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME

WIDTH = 100  # columns
# What rich fills in; its own form loads a font. Any monospace font will do: every piece of text has its length.
_FORM = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; \
font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def svg(title: str, show: Callable[[Console], object]) -> str:
    """Return what `show` prints, as a terminal would show it; the same text gives the same bytes."""
    console = Console(
        record=True,
        file=io.StringIO(),
        width=WIDTH,
        force_terminal=True,
        color_system="truecolor",
        no_color=False,
        _environ={},
    )
    show(console)
    drawn = console.export_svg(title=title, theme=SVG_EXPORT_THEME, code_format=_FORM, unique_id="screen")
    return "".join(f"{line.rstrip()}\n" for line in drawn.splitlines())
