"""Tells Airflow that a field named `jwt` holds a secret."""

from __future__ import annotations

import os

from airflow import settings
from airflow.configuration import conf


def hide_jwt() -> None:
    """Makes Airflow show `***` for every field named like `jwt`, in this process and in those that it starts.

    Airflow hides what has a name that it knows for a secret's, and `jwt` is none of them: whoever may see connections
    would read the JWT in the UI and in the replies of the REST API. This is what an operator's
    `[core] sensitive_var_conn_names = jwt` does, so that it need not be set:
    https://airflow.apache.org/docs/apache-airflow/stable/configurations-ref.html#sensitive-var-conn-names
    """
    names = {name.strip() for name in conf.get("core", "sensitive_var_conn_names").split(",")}
    os.environ["AIRFLOW__CORE__SENSITIVE_VAR_CONN_NAMES"] = ",".join(sorted((names | {"jwt"}) - {""}))
    # Read when Airflow was imported, which is before it loads plugins.
    settings._configure_secrets_masker()
