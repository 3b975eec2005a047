"""Audio files in, audio files out: probe and merge, on FFmpeg's libraries through PyAV."""
