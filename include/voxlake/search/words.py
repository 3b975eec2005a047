"""Why a recording is not there, or not whole, in words that need no knowledge of Voxlake."""

from __future__ import annotations

# By unavailable_reason, else by status, and where it could not be merged.
_NOT_THERE = {
    "pending": "It has not been downloaded yet; a later run does it.",
    "failed": "It could not be downloaded; the next run tries again.",
    "unavailable": "The provider cannot give it.",
    "record_deleted": "The call was deleted at the provider before its recording was downloaded.",
    "removed": "The recording was deleted at the provider before it was downloaded.",
    "expired": "The provider had deleted it already, as it was older than it keeps recordings.",
    "not_found": "The provider names it, but does not have it.",
    "not_delivered": "The provider announced it, but never delivered it.",
    "damaged": "What the provider has of it cannot be played; the archive keeps it as it is.",
    "unplayable": "Its file in the archive cannot be played.",
    "downloaded": "It is in the archive, but not in the merged file yet; a later run adds it.",
}
_NOT_WHOLE = {
    "truncated": "It ends too early: the end of its file is missing.",
    "damaged": "Parts of it are damaged and cannot be heard.",
    "short": "It is shorter than the call was: a part was not recorded, or is lost.",
}


def not_there(reason: str) -> str:
    """Why a recording is not in the archive, or not in the merged file."""
    return _NOT_THERE.get(reason, f"It is not there: {reason}.")


def not_whole(reason: str) -> str:
    """What is wrong with a recording that plays."""
    return _NOT_WHOLE.get(reason, f"It is not whole: {reason}.")
