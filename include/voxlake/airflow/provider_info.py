"""What Airflow's provider manager learns of this package: the connection types and their forms.

https://airflow.apache.org/docs/apache-airflow-providers/howto/create-custom-providers.html
"""

from __future__ import annotations

from typing import Any

from voxlake import __version__
from voxlake.sinch.regions import DEFAULT_SERVER_URL, REGIONS


def get_provider_info() -> dict[str, Any]:
    """The provider's description, in the shape that Airflow documents."""
    return {
        "package-name": "voxlake",
        "name": "Voxlake",
        "description": "Archives RingCentral call logs and recordings, and controls the recording of Sinch calls.",
        "versions": [__version__],
        "connection-types": [
            {
                "connection-type": "ringcentral",
                "hook-class-name": "voxlake.airflow.hook.RingCentralHook",
                "hook-name": "RingCentral",
                "ui-field-behaviour": {
                    "hidden-fields": ["port", "schema"],
                    "relabeling": {"host": "Server URL", "login": "Client ID", "password": "Client secret"},
                    "placeholders": {"host": "https://platform.ringcentral.com"},
                },
                "conn-fields": {
                    "jwt": {
                        "label": "JWT credential",
                        "description": "Made in the RingCentral developer console, for the user who may read the "
                        "company call log and recordings.",
                        "schema": {"type": ["string", "null"], "format": "password"},
                    },
                    "media_host": {
                        "label": "Media host",
                        "description": "Where recordings are fetched from, beside the server itself.",
                        "schema": {
                            "type": ["string", "null"],
                            "format": "url",
                            "default": "https://media.ringcentral.com",
                        },
                    },
                },
            },
            {
                "connection-type": "sinch",
                "hook-class-name": "voxlake.airflow.sinch_hook.SinchHook",
                "hook-name": "Sinch",
                "ui-field-behaviour": {
                    "hidden-fields": ["port", "schema"],
                    "relabeling": {
                        "host": "Server URL",
                        "login": "Application key",
                        "password": "Application secret",
                    },
                    "placeholders": {"host": DEFAULT_SERVER_URL},
                },
                "conn-fields": {
                    "region": {
                        "label": "Region",
                        "description": "Where the calls are handled; not needed beside a server URL.",
                        "schema": {
                            "type": ["string", "null"],
                            "enum": [*REGIONS, None],
                        },
                    },
                    "destination": {
                        "label": "Destination of recordings",
                        "description": "s3://bucket/folder/ with / at its end, so that Sinch names each file.",
                        "schema": {"type": ["string", "null"]},
                    },
                    # Airflow hides what has `secret` in its name.
                    "recording_secret": {
                        "label": "Bucket credentials",
                        "description": "<access key id>:<secret access key>:<region> of a user who may put objects "
                        "into the bucket and nothing else: Sinch gets them with every instruction to record.",
                        "schema": {"type": ["string", "null"], "format": "password"},
                    },
                },
            },
        ],
    }
