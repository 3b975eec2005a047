"""What the Recordings page asks of the lake: search, one conversation, export, the state of the archive.

It knows nothing of HTTP and of Airflow.
"""
