"""An export on the Hugging Face hub: one commit, to a repository that holds nothing else.

The token comes from the environment (HF_TOKEN) or the stored login, the address from HF_ENDPOINT,
as huggingface_hub reads them. No sentence of this module holds the token.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prokd.common.files import read_json
from prokd.encoder.export_folder import MANIFEST, check_export
from prokd.errors import UserError

OF_THE_HUB = ".gitattributes"
"""A file that the hub itself puts into a new repository."""
TOKENS = "hf_..."
"""What stands where a token would."""
UNAUTHORISED, FORBIDDEN, CONFLICT = 401, 403, 409


def publish(folder: Path, repository: str, *, private: bool, revision: str | None) -> str:
    """Put an export on the hub; a new repository is made where there is none.

    Args:
        folder: An export, whole, with nothing added to it.
        repository: ``ACCOUNT/NAME``.
        private: Whether nobody else may see it.
        revision: A branch, which is made if it is not there; None = the main one.

    Returns:
        The address of the commit.

    Raises:
        UserError: The folder is no export; there is no token, it is a wrong one or may not write
            there; the hub is not in reach; the repository holds what no export wrote, or is
            public where a private one was asked for.
    """
    from huggingface_hub import HfApi, get_token

    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository, re.ASCII):
        rule = "a repository must be called ACCOUNT/NAME, of letters, digits, - _ and ."
        raise UserError(f"{rule}, but got {repository!r}.")
    check_export(folder)
    with _sentences(repository):
        token = get_token()
        if not token:
            raise UserError(
                "publishing needs a token of the Hugging Face hub that may write: set HF_TOKEN, "
                "or log in by `hf auth login`."
            )
        hub = HfApi(token=token)
        is_new = _make(hub, repository, private=private)
        stale = [] if is_new else _stale(hub, folder, repository, revision)
        if revision is not None:
            hub.create_branch(repository, branch=revision, exist_ok=True)
        return _commit(hub, folder, repository, revision, stale)


def _make(hub: Any, repository: str, *, private: bool) -> bool:
    """Make a repository; tell whether it is a new one."""
    from huggingface_hub.errors import HfHubHTTPError

    try:
        hub.create_repo(repository, private=private)
    except HfHubHTTPError as error:
        if error.response.status_code != CONFLICT:
            raise
    else:
        return True
    if private and not hub.model_info(repository).private:
        raise UserError(
            f"--private was asked for, but {repository} is there already and is public: make it "
            f"private on the hub, or choose another name."
        )
    return False


def _stale(hub: Any, folder: Path, repository: str, revision: str | None) -> list[str]:
    """Return what an older export has put into a repository and this one has not.

    Raises:
        UserError: The repository holds what no export wrote.
    """
    from huggingface_hub.errors import RevisionNotFoundError

    try:
        present = set(hub.list_repo_files(repository, revision=revision)) - {OF_THE_HUB}
    except RevisionNotFoundError:  # the branch will begin as the main one
        return _stale(hub, folder, repository, None)
    listed: set[str] = set()
    if MANIFEST in present:
        place = hub.hf_hub_download(repository, MANIFEST, revision=revision)
        listed = set(json.loads(Path(place).read_text(encoding="utf-8")).get("files", ()))
    if strange := sorted(present - listed):
        raise UserError(
            f"a repository must be new, empty or hold an older export, but {repository} holds "
            f"{', '.join(strange[:3])}{' ...' if strange[3:] else ''}; nothing is changed: choose "
            f"another name."
        )
    return sorted(present - set(_files(folder)))


def _commit(
    hub: Any, folder: Path, repository: str, revision: str | None, stale: list[str]
) -> str:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete
    from huggingface_hub.utils.tqdm import disable_progress_bars

    if not sys.stderr.isatty():
        disable_progress_bars()
    files = [CommitOperationAdd(name, folder / name) for name in _files(folder)]
    known = read_json(folder / MANIFEST) or {}
    made = hub.create_commit(
        repository,
        [*(CommitOperationDelete(name) for name in stale), *files],
        commit_message=f"Export of {known.get('signature', 'a run')}, by prokd",
        revision=revision,
    )
    return str(made.commit_url)


def _files(folder: Path) -> list[str]:
    return sorted((read_json(folder / MANIFEST) or {})["files"])


@contextmanager
def _sentences(repository: str) -> Iterator[None]:
    """Turn what the hub's client raises into one sentence of ours, without the token."""
    from huggingface_hub import constants, get_token
    from huggingface_hub.errors import (
        HfHubHTTPError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )

    hub = constants.ENDPOINT
    try:
        yield
    except UserError:
        raise
    except OfflineModeIsEnabled:
        raise UserError(f"{hub} is not asked while HF_HUB_OFFLINE is set: unset it.") from None
    except HfHubHTTPError as error:
        status = error.response.status_code
        if status == UNAUTHORISED:
            reason = "does not know the token (HF_TOKEN, or the one of `hf auth login`)"
        elif status == FORBIDDEN:
            reason = "does not let the token write there: it needs the right to write"
        elif isinstance(error, RepositoryNotFoundError):
            reason = "does not have it, or not for this token"
        else:
            reason = f"answers {status} ({error.response.reason_phrase})"
        raise UserError(f"{repository} cannot be published: {hub} {reason}.") from None
    except Exception as error:  # a hub that is not in reach, or that refuses a card's metadata
        reason = " ".join(str(error).split()).rstrip(".").replace(get_token() or TOKENS, TOKENS)
        kind = type(error).__name__
        raise UserError(f"{repository} cannot be published to {hub} ({kind}: {reason}).") from None
