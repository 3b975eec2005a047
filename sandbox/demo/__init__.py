"""`make demo`: the real pipeline, through Airflow's own scheduler, against the sandbox, on an empty machine."""
