"""Events on disk before they are acknowledged, whatever happens to the process or the disk."""

import asyncio
import errno
import os
from pathlib import Path

import pytest

from orchestration.collector import journal as journal_module
from orchestration.collector.journal import Journal, NotStored
from orchestration.core.errors import SettingsError
from orchestration.resources.landing import ingest
from orchestration.resources.landing_disk import on_disk
from orchestration.resources.warehouse import Warehouse
from orchestration.settings import Settings
from tests.collector.conftest import stored

LINE = b'{"event_id": "v-%d"}\n'


def _names(tmp_path, source="signups"):
    return [file.relative_to(tmp_path).parts[0] for file in stored(tmp_path, source)]


def _contents(tmp_path, source="signups"):
    return b"".join(file.read_bytes() for file in stored(tmp_path, source))


async def _left_open(tmp_path, *lines: bytes) -> None:
    """What a process leaves that is killed: its open file, and the lock freed by the kernel."""
    journal = Journal(tmp_path)
    await journal.start()
    for line in lines:
        await journal.put("signups", line)
    journal._running.cancel()
    os.close(journal._lock)


def test_what_is_acknowledged_is_on_disk_and_lands_soon(tmp_path):
    async def go():
        journal = Journal(tmp_path)
        await journal.start()
        await asyncio.gather(*(journal.put("signups", LINE % number) for number in range(200)))
        assert sorted(_contents(tmp_path).splitlines(True)) == sorted(LINE % number for number in range(200))
        assert journal.commits < 50  # many wait for one write
        assert _names(tmp_path) == [".collector"]
        await asyncio.sleep(1.3)
        assert _names(tmp_path) == ["signups"]
        await journal.put("article_views", LINE % 1)
        await journal.stop()

    asyncio.run(go())
    assert _names(tmp_path, "article_views") == ["article_views"]


def test_what_a_killed_process_left_open_lands_at_the_next_start_without_the_half_line(tmp_path):
    async def go():
        await _left_open(tmp_path, LINE % 1, LINE % 2)
        [left] = stored(tmp_path, "signups")
        left.write_bytes(left.read_bytes() + b'{"event_id": "never ackn')
        journal = Journal(tmp_path)
        await journal.start()
        assert _names(tmp_path) == ["signups"]
        assert _contents(tmp_path) == LINE % 1 + LINE % 2
        await journal.stop()

    asyncio.run(go())


def test_two_on_one_folder_is_one_too_many(tmp_path):
    async def go():
        journal = Journal(tmp_path)
        await journal.start()
        with pytest.raises(SettingsError, match="Another collector has"):
            await Journal(tmp_path).start()
        await journal.stop()

    asyncio.run(go())


def test_a_full_disk_refuses_all_that_waited_and_leaves_no_half_line(tmp_path, monkeypatch):
    write, room = os.write, 60

    def write_while_there_is_room(fd, data):
        if room - os.fstat(fd).st_size <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(fd, data[: room - os.fstat(fd).st_size])

    async def go():
        nonlocal room
        monkeypatch.setattr(journal_module.os, "write", write_while_there_is_room)
        journal = Journal(tmp_path)
        await journal.start()
        await journal.put("signups", LINE % 1)
        with pytest.raises(NotStored):
            await journal.put("signups", LINE % 2 * 10)
        assert _contents(tmp_path) == LINE % 1
        room = 1000
        await journal.put("signups", LINE % 3)
        await journal.stop()

    asyncio.run(go())
    assert _contents(tmp_path) == LINE % 1 + LINE % 3


def test_a_file_that_cannot_be_renamed_is_tried_again_and_told_once(tmp_path, monkeypatch, caplog):
    rename, tried = Path.rename, []

    def rename_at_the_third_try(path, target):
        tried.append(path)
        if path == tried[0] and tried.count(path) < 3:
            raise OSError(errno.EACCES, "Permission denied")
        return rename(path, target)

    async def go():
        monkeypatch.setattr(Path, "rename", rename_at_the_third_try)
        monkeypatch.setattr(journal_module, "RETRY_SECONDS", 0.1)
        monkeypatch.setitem(journal_module.OPEN_SECONDS, "signups", 0.1)
        await _left_open(tmp_path, LINE % 1)
        journal = Journal(tmp_path)
        await journal.start()  # the first try
        assert (_names(tmp_path), journal.unlanded) == ([".collector"], 1)
        await journal.put("signups", LINE % 2)  # what comes meanwhile is taken as ever
        await asyncio.sleep(1)
        assert (_names(tmp_path), journal.unlanded) == (["signups", "signups"], 0)
        await journal.stop()

    asyncio.run(go())
    assert _contents(tmp_path) == LINE % 1 + LINE % 2
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    name, why = tried[0].name, "Permission denied"
    assert caplog.messages[0] == f"{name} can't go to landing/signups, and is tried again and again: {why}"


def test_the_sensor_sees_a_file_when_it_has_landed_and_not_before(tmp_path):
    settings = Settings.from_env({"DATA_DIR": str(tmp_path)})
    warehouse = Warehouse(settings)
    row = (
        b'{"event_id":"v-1","occurred_at":"2026-11-01T10:11:00Z","article_id":"7","url":"u","visitor_id":"d",'
        b'"tracking_consent":true}\n'
    )

    async def go():
        journal = Journal(settings.landing_dir)
        await journal.start()
        await journal.put("article_views", row)
        assert on_disk(settings.landing_dir) == []
        await journal.stop()

    asyncio.run(go())
    [file] = on_disk(settings.landing_dir)
    ingest(settings, warehouse, [file])
    with warehouse.latest() as con:
        assert con.execute("select event_id, landing_file from raw.article_views").fetchall() == [("v-1", file.path)]
