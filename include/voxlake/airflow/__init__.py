"""The only corner of the package that imports Airflow: hook, retry policy, provider info."""
