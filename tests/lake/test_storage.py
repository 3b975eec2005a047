from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from voxlake.lake.local import LocalStorage
from voxlake.lake.storage import ObjectMissingError, Storage, VersionConflictError


def test_what_is_put_is_read(storage: Storage) -> None:
    storage.put("raw/page.json.gz", b"first")
    storage.put("raw/page.json.gz", b"second")
    assert storage.read("raw/page.json.gz").data == b"second"
    assert storage.read("raw/page.json.gz").version == storage.version("raw/page.json.gz")


def test_what_is_not_there_is_named(storage: Storage) -> None:
    assert storage.version("tables/none") is None
    with pytest.raises(ObjectMissingError, match=r"tables/none is not in the lake .*"):
        storage.read("tables/none")
    with pytest.raises(ObjectMissingError, match="tables/none"), storage.local_copy("tables/none"):
        pass
    storage.delete("tables/none")


def test_swap_creates_only_what_is_not_there(storage: Storage) -> None:
    storage.compare_and_swap("tables/x", b"mine", None)
    with pytest.raises(VersionConflictError, match="tables/x"):
        storage.compare_and_swap("tables/x", b"theirs", None)
    assert storage.read("tables/x").data == b"mine"


def test_swap_replaces_only_the_version_that_was_read(storage: Storage) -> None:
    storage.put("tables/x", b"one")
    read = storage.read("tables/x")
    storage.compare_and_swap("tables/x", b"two", read.version)
    with pytest.raises(VersionConflictError):
        storage.compare_and_swap("tables/x", b"three", read.version)
    assert storage.read("tables/x").data == b"two"


def test_swap_of_what_was_deleted_meanwhile_is_a_conflict(storage: Storage) -> None:
    storage.put("tables/x", b"one")
    read = storage.read("tables/x")
    storage.delete("tables/x")
    with pytest.raises(VersionConflictError):
        storage.compare_and_swap("tables/x", b"two", read.version)


def test_scratch_becomes_the_object_when_it_is_published_and_only_then(storage: Storage) -> None:
    with storage.scratch(".mp3") as scratch:
        assert scratch.suffix == ".mp3"
        scratch.write_bytes(b"audio")
        assert list(storage.list("audio")) == []
        storage.publish(scratch, "audio/a.mp3")
    assert not scratch.exists()
    assert list(storage.list("audio")) == ["audio/a.mp3"]
    with storage.local_copy("audio/a.mp3") as copy:
        assert copy.read_bytes() == b"audio"


def test_scratch_that_was_never_published_is_gone(storage: Storage) -> None:
    with storage.scratch() as scratch:
        scratch.write_bytes(b"half")
    assert not scratch.exists()


def test_an_error_comes_through_though_the_scratch_file_is_gone(storage: Storage) -> None:
    def fail() -> None:
        with storage.scratch(".mp3") as file:
            file.unlink()
            raise ValueError("what went wrong")

    with pytest.raises(ValueError, match="what went wrong"):
        fail()


def test_publish_if_keeps_what_another_made(storage: Storage) -> None:
    version = storage.version("audio/a.mp3")
    storage.put("audio/a.mp3", b"theirs")
    with storage.scratch() as scratch:
        scratch.write_bytes(b"mine")
        with pytest.raises(VersionConflictError):
            storage.publish_if(scratch, "audio/a.mp3", version)
    assert storage.read("audio/a.mp3").data == b"theirs"


def test_list_is_sorted_and_below_the_folder_alone(storage: Storage) -> None:
    for path in ("a/2", "a/1", "a/b/3", "ab/4"):
        storage.put(path, b"")
    assert list(storage.list("a")) == ["a/1", "a/2", "a/b/3"]
    assert list(storage.list("none")) == []


def test_local_readers_of_the_group_may_read(tmp_path) -> None:  # type: ignore[no-untyped-def]
    lake = LocalStorage(tmp_path)
    lake.put("a", b"")
    plain = tmp_path / "plain"
    plain.touch()
    assert (tmp_path / "a").stat().st_mode == plain.stat().st_mode


def test_list_of_what_was_written_before_a_time(storage: Storage) -> None:
    storage.put("a/1", b"")
    now = datetime.now(UTC)
    assert list(storage.list("a", before=now - timedelta(minutes=1))) == []
    assert list(storage.list("a", before=now + timedelta(minutes=1))) == ["a/1"]


def test_the_lock_files_of_a_local_lake_are_few(tmp_path: Path) -> None:
    lake = LocalStorage(tmp_path)
    for number in range(600):
        lake.compare_and_swap(f"leases/{number}", b"", None)
    assert len(list((tmp_path / ".locks").iterdir())) <= 256


def test_a_range_comes_in_pieces_of_the_version_that_was_looked_at(storage: Storage) -> None:
    data = bytes(range(256)) * 4096
    storage.put("audio/a.mp3", data)
    status = storage.status("audio/a.mp3")
    assert (status.size, status.version) == (len(data), storage.version("audio/a.mp3"))
    assert abs(datetime.now(UTC) - status.modified) < timedelta(minutes=10)

    pieces = list(storage.read_range("audio/a.mp3", 5, len(data) - 6, status.version))
    assert b"".join(pieces) == data[5:-5]
    assert max(map(len, pieces)) <= 256 * 1024
    assert list(storage.read_range("audio/a.mp3", 7, 7, status.version)) == [data[7:8]]

    storage.put("audio/a.mp3", data[::-1])
    with pytest.raises(VersionConflictError):
        storage.read_range("audio/a.mp3", 0, 9, status.version)


def test_there_is_no_status_and_no_range_of_what_is_not_there(storage: Storage) -> None:
    with pytest.raises(ObjectMissingError, match=re.escape("audio/none.mp3")):
        storage.status("audio/none.mp3")
    with pytest.raises(ObjectMissingError, match=re.escape("audio/none.mp3")):
        storage.read_range("audio/none.mp3", 0, 9, "a version")
