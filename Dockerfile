# The image of docker-compose.yaml and deploy/helm/values.yaml: Airflow's own, with exactly what requirements.txt locks.
# Its user is Airflow's, 50000 in group 0: https://airflow.apache.org/docs/docker-stack/build.html
FROM apache/airflow:3.3.2-python3.11 AS voxlake

# `sync`, not `install`: what the base image has beyond the lock is removed, so that what runs is what was tested.
COPY --chown=airflow:0 requirements.txt /opt/airflow/requirements.txt
RUN uv pip sync --no-cache --require-hashes /opt/airflow/requirements.txt

COPY --chown=airflow:0 pyproject.toml README.md /opt/airflow/
COPY --chown=airflow:0 include /opt/airflow/include
COPY --chown=airflow:0 dags /opt/airflow/dags
COPY --chown=airflow:0 plugins /opt/airflow/plugins
# The folders of volumes: a volume takes over the owner of the folder that it is first mounted on.
RUN uv pip install --no-cache --no-deps --editable /opt/airflow \
    && mkdir -p /opt/airflow/lake /opt/airflow/logs /opt/airflow/.voxlake \
    && airflow version && python -c "import voxlake.airflow.steps"

# For the demo only: the RingCentral look-alike.
FROM voxlake AS sandbox
COPY --chown=airflow:0 sandbox /opt/airflow/sandbox
ENTRYPOINT ["/usr/bin/dumb-init", "--", "python", "-m", "sandbox.ringcentral"]

# What is built where no target is named.
FROM voxlake
