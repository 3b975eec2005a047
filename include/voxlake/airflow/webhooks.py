"""The webhook receiver in Airflow's API server: its lake, its connection, and how Airflow is told."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Asset

from voxlake.airflow.hook import RingCentralHook
from voxlake.airflow.wiring import SESSION_EVENTS, SINCH_EVENTS

PREFIX = "/voxlake-webhooks"


def webhooks() -> dict[str, Any]:
    """The app, in the form that Airflow's plugins have it."""
    from voxlake.airflow.lake import open_lake
    from voxlake.airflow.metrics import count_webhook
    from voxlake.airflow.sinch_callbacks import sinch_callbacks
    from voxlake.web.webhooks import create_webhooks

    app = create_webhooks(
        open_lake,
        _verification_token,
        lambda: tell_airflow(SESSION_EVENTS),
        count_webhook,
        sinch_callbacks(lambda: tell_airflow(SINCH_EVENTS)),
    )
    return {"app": app, "url_prefix": PREFIX, "name": "Voxlake webhooks"}


def _verification_token() -> str:
    (credentials,) = RingCentralHook().credentials(spread=False)
    return credentials.verification_token


def tell_airflow(asset: Asset) -> None:
    """Makes an event of an asset; only in the API server, which has the metadata database.

    Airflow's own endpoint for this needs a user's token, which a plugin has not; what it does is done here.

    Raises:
        LookupError: Airflow does not know the asset: no DAG with it has been read yet.
    """
    from airflow.assets.manager import asset_manager
    from airflow.models.asset import AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session(scoped=False) as session:
        model = session.scalar(select(AssetModel).where(AssetModel.name == asset.name, AssetModel.uri == asset.uri))
        if model is None:
            raise LookupError(f"Airflow does not know the asset {asset.name}: its DAG has not been read yet")
        asset_manager.register_asset_change(asset=model, session=session, source_is_api=True)
