from __future__ import annotations

from pathlib import Path

import pytest
from airflow.listeners.listener import get_listener_manager
from airflow.models.dagrun import DagRun
from airflow.models.pool import Pool
from airflow.utils.session import create_session

from tests.airflow.conftest import slots_of_pools
from voxlake.airflow import pools
from voxlake.airflow.hook import shared_state
from voxlake.airflow.pools import MEDIA_POOL, create_missing_pools, slots_for
from voxlake.ringcentral.grants import Grant
from voxlake.ringcentral.quota import SharedQuota
from voxlake.ringcentral.sliding_window import QuotaHeaders

CONTENT = "/restapi/v1.0/account/1/recording/2/content"

pytestmark = pytest.mark.usefixtures("no_pools")


def grant(limit: int, window: float, seconds: float) -> Grant:
    return Grant("a", "heavy", limit, window, used=0, blocked_for=0.0, seconds=seconds)


def test_pools_that_are_missing_are_created_as_the_file_says() -> None:
    create_missing_pools()

    made = {
        str(pool.pool): {
            "slots": pool.slots,
            "description": pool.description,
            "include_deferred": pool.include_deferred,
        }
        for pool in Pool.get_pools()
    }
    assert made.pop("default_pool")
    assert made == pools.pools_of_file()


def test_a_pool_that_an_operator_changed_stays_as_it_is() -> None:
    Pool.create_or_update_pool("ringcentral_media", 16, "As many as our plan allows", include_deferred=True)

    create_missing_pools()
    create_missing_pools()

    made = Pool.get_pool("ringcentral_media")
    assert made is not None
    assert (made.slots, made.description, made.include_deferred) == (16, "As many as our plan allows", True)
    assert slots_of_pools().keys() == {"default_pool", *pools.pools_of_file()}


def test_a_file_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "project_root", lambda: tmp_path)

    with pytest.raises(OSError, match=r"pools\.json"):
        create_missing_pools()


@pytest.mark.parametrize(
    ("grants", "slots"),
    [
        ([], None),
        ([grant(10, 60, seconds=0)], None),
        ([grant(10, 60, seconds=0.2)], 3),
        ([grant(10, 60, seconds=5)], 3),
        ([grant(10, 60, seconds=13)], 5),
        ([grant(10, 60, seconds=13), grant(10, 60, seconds=13)], 7),
        ([grant(100, 60, seconds=3), grant(50, 60, seconds=0)], 7),
        ([grant(6000, 60, seconds=3)], 16),
    ],
)
def test_the_slots_are_the_rate_times_the_duration_and_two(grants: list[Grant], slots: int | None) -> None:
    assert slots_for(grants) == slots


def media_run_ended() -> None:
    with create_session() as session, session.no_autoflush:
        # As the scheduler has it: attached to a session that it commits itself.
        run = DagRun(dag_id="ringcentral_recordings", run_id="scheduled__1")
        session.add(run)
        get_listener_manager().hook.on_dag_run_success(dag_run=run, msg="")
        session.expunge(run)


def test_the_pool_of_the_downloads_follows_the_grant() -> None:
    create_missing_pools()
    quota = SharedQuota(shared_state(), "a")
    quota.took(CONTENT, 6.0)

    media_run_ended()
    assert slots_of_pools()[MEDIA_POOL] == pools.pools_of_file()[MEDIA_POOL]["slots"], "no reply has told the grant"

    for limit, slots in ((10, 3), (60, 8)):
        quota.observe(quota.acquire("heavy"), CONTENT, QuotaHeaders("heavy", limit, limit - 1, 60.0))
        media_run_ended()
        assert slots_of_pools()[MEDIA_POOL] == slots


def test_a_pool_with_another_description_keeps_its_slots() -> None:
    create_missing_pools()
    Pool.create_or_update_pool(MEDIA_POOL, 5, "Ours", include_deferred=False)
    quota = SharedQuota(shared_state(), "a")
    quota.observe(quota.acquire("heavy"), CONTENT, QuotaHeaders("heavy", 60, 59, 60.0))
    quota.took(CONTENT, 6.0)

    media_run_ended()

    assert slots_of_pools()[MEDIA_POOL] == 5
