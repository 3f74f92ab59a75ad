"""The option ``--text`` of searches and ablations: raw text as the target's training text."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from prokd.cli.options import codes
from prokd.config import RuntimeConfig
from prokd.errors import UserError

RawTexts = Annotated[
    list[str],
    typer.Option(
        "--text",
        metavar="[LANG=]PATH",
        help="Raw text of a target, a file, a folder or - (standard input), to learn from; or "
        "DIR of `prokd text`; repeatable.",
    ),
]


def with_texts(
    runtime: RuntimeConfig,
    given: Sequence[str],
    languages: Sequence[str],
    say: Callable[[str], object] = typer.echo,
) -> RuntimeConfig:
    """Return a runtime with the corpora of raw texts, made in its cache unless they are there.

    Args:
        runtime: Names the cache.
        given: Values of ``--text``.
        languages: Values of ``--lang``.
        say: Told what is made.

    Raises:
        UserError: A text without its language, or one that cannot be read.
    """
    paths = paths_by_language(given, codes(languages))
    if not paths:
        return runtime
    from prokd.data.text.cache import text_folder

    made = {code: text_folder(own, code, runtime.cache_dir, say) for code, own in paths.items()}
    return runtime.model_copy(update={"texts": made})


def paths_by_language(given: Sequence[str], languages: Sequence[str]) -> dict[str, list[Path]]:
    """Return the paths that ``LANG=PATH`` names for each language; of one, PATH is enough.

    >>> paths_by_language(["sw=/a.txt", "/b=c.txt"], ["sw"])
    {'sw': [PosixPath('/a.txt'), PosixPath('/b=c.txt')]}

    Raises:
        UserError: It is not told which of several languages, or told one that is no target.
    """
    found: dict[str, list[Path]] = {}
    for text in given:
        code, sign, path = text.partition("=")
        is_named = (
            bool(sign) and (code in languages or not os.path.exists(text)) and "/" not in code
        )
        if is_named and code not in languages:
            raise UserError(
                f"--text must name a language of --lang ({', '.join(languages)}), "
                f"but got {text!r}."
            )
        if not is_named and len(languages) > 1:
            raise UserError(
                f"--text must say which of {', '.join(languages)} it is, such as "
                f"{languages[0]}={text}, but got {text!r}."
            )
        own = path if is_named else text
        if not own:
            raise UserError(f"--text must name a file, a folder or -, but got {text!r}.")
        # A pipe of the shell (/dev/fd/63) is a link to what is no file: it is not followed.
        place = Path(own) if own == "-" else Path(own).expanduser().absolute()
        found.setdefault(code if is_named else languages[0], []).append(place)
    return found
