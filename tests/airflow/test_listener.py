from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from airflow import plugins_manager
from airflow._shared.plugins_manager import _load_plugins_from_plugin_directory
from airflow.jobs.job import Job
from airflow.listeners.listener import get_listener_manager
from airflow.sdk.execution_time.task_runner import TaskRunnerMarker

from tests.airflow.conftest import slots_of_pools
from voxlake.airflow import pools

PROJECT = Path(__file__).resolve().parents[2]


@pytest.mark.usefixtures("no_pools")
def test_airflow_readies_a_scheduler_that_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert get_listener_manager().has_listeners, "the plugin of plugins/ registers one"
    monkeypatch.setattr(sys, "argv", ["airflow", "scheduler", "--pid", "x"])

    Job(heartrate=5)

    assert slots_of_pools().keys() == {"default_pool", *pools.pools_of_file()}


@pytest.mark.parametrize("command", [["triggerer"], ["dag-processor"], ["api-server"], []])
@pytest.mark.usefixtures("no_pools")
def test_another_job_than_the_scheduler_is_left_alone(monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["airflow", *command])

    Job(heartrate=5)

    assert slots_of_pools().keys() == {"default_pool"}


@pytest.mark.usefixtures("no_pools")
def test_a_task_that_a_scheduler_forked_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    # LocalExecutor's fork keeps the command line of the scheduler.
    monkeypatch.setattr(sys, "argv", ["airflow", "scheduler"])

    get_listener_manager().hook.on_starting(component=TaskRunnerMarker())

    assert slots_of_pools().keys() == {"default_pool"}


def test_only_a_scheduler_pays_for_what_the_tasks_import() -> None:
    # Every process of Airflow loads the plugin, and with it the listener.
    program = (
        "import sys; from voxlake.airflow import listener, masking\n"
        "wanted = {'pandas', 'pyarrow', 'av', 'voxlake.airflow.steps'}\n"
        "print(sorted(wanted & set(sys.modules))); listener.import_for_tasks(); print(wanted <= set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout.splitlines()[-2:]) == (0, ["[]", "True"]), done.stderr


def test_airflow_loads_the_plugin_with_its_listener() -> None:
    [plugin] = [plugin for plugin in plugins_manager.get_plugin_info() if plugin["name"] == "voxlake"]

    assert plugin["listeners"] == ["voxlake.airflow.listener"]
    assert plugin["priority_weight_strategies"] == ["voxlake.airflow.priority.ScheduledFirst"]
    assert str(plugin["source"]) == "$PLUGINS_FOLDER/voxlake_plugin.py"


def test_airflow_executes_nothing_else_below_plugins(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    shutil.copytree(PROJECT / "plugins", folder)
    for file in ("routes.py", "pages/queue_of_pages.py", "pages/deeper/__init__.py", "pages/a_plugin.py"):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("raise RuntimeError('executed')")

    plugins, errors = _load_plugins_from_plugin_directory(str(folder), ignore_file_syntax="glob")

    assert errors == {}
    assert [plugin.name for plugin in plugins] == ["voxlake"]
