"""The options that ask for a part of a picture, or for a smaller one."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])


class RegionType(click.ParamType):  # pyright: ignore[reportMissingTypeArgument]
    """Four whole numbers, separated by commas; what they may be is for `View` to say."""

    name = "region"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value  # pyright: ignore[reportUnknownVariableType]
        if not re.fullmatch(r"\s*[-+]?\d{1,12}\s*(,\s*[-+]?\d{1,12}\s*){3}", str(value), re.ASCII):
            self.fail(f"{value!r} is no region: X,Y,W,H in pixels, as 100,50,640,480", param, ctx)
        return tuple(map(int, str(value).split(",")))


class ScaleType(click.ParamType):  # pyright: ignore[reportMissingTypeArgument]
    """A fraction 1/N."""

    name = "scale"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        parts = re.fullmatch(r"1(?:/(\d{1,6}))?", str(value).strip(), re.ASCII)
        if not parts:
            self.fail(f"{value!r} is no scale: 1/2, 1/4, 1/8, .. 1/128", param, ctx)
        return int(parts[1] or 1)


def view_options(function: Function) -> Function:
    """Add --region and --scale, and hand over what they amount to as `view`."""

    @functools.wraps(function)
    def viewing(*args: Any, region: tuple[int, int, int, int] | None, scale: int, **options: Any) -> Any:
        from nfcodec.codec import View

        return function(*args, view=View(region, scale), **options)

    for option in (
        click.option("--scale", type=ScaleType(), metavar="1/N", default="1",
                     help="Make a picture of 1/2, 1/4, .. 1/128 of the size. The digest is not checked."),
        click.option("--region", type=RegionType(), metavar="X,Y,W,H",
                     help="Decode W x H pixels from column X and row Y on. The digest is not checked."),
    ):  # fmt: skip
        viewing = option(viewing)
    return viewing  # pyright: ignore[reportReturnType]
