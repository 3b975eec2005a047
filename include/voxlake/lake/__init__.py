"""The lake: storage (local folder, S3), layout (paths), schemas and tables (upsert by day)."""
