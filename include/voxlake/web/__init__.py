"""The Recordings page: a FastAPI app that the plugin mounts into Airflow's API server, at `/voxlake`."""
