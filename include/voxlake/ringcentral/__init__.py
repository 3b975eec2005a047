"""RingCentral over HTTP: login, quota, call log, recordings. Knows nothing of lakes or DAGs."""
