"""What Airflow's provider manager learns of this package: the connection type `ringcentral` and its form.

https://airflow.apache.org/docs/apache-airflow-providers/howto/create-custom-providers.html
"""

from __future__ import annotations

from typing import Any

from voxlake import __version__


def get_provider_info() -> dict[str, Any]:
    """The provider's description, in the shape that Airflow documents."""
    return {
        "package-name": "voxlake",
        "name": "Voxlake",
        "description": "Archives RingCentral call logs and recordings.",
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
            }
        ],
    }
