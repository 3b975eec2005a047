"""What Celery's workers go by: Airflow's own configuration, and what tasks import is imported once.

A worker forks a process for every task, and a fork has what its parent imported: two seconds a task are saved. Switched
on by `AIRFLOW__CELERY__CELERY_CONFIG_OPTIONS=voxlake.airflow.celery_config.CELERY_CONFIG`, as docker-compose.yaml does:
https://airflow.apache.org/docs/apache-airflow-providers-celery/stable/configurations-ref.html#celery-config-options
"""

from __future__ import annotations

from typing import Any

from airflow.providers.celery.executors.default_celery import DEFAULT_CELERY_CONFIG

CELERY_CONFIG: dict[str, Any] = {
    **DEFAULT_CELERY_CONFIG,
    # pyarrow imports pandas when it makes its first array, if pandas is there.
    "imports": ("pandas", "voxlake.airflow.steps"),
}
