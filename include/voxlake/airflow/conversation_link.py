"""The link of a merge to its conversation: a button at the task in Airflow's UI."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import BaseOperatorLink
from airflow.sdk.bases.decorator import DecoratedOperator, task_decorator_factory

from voxlake.airflow.recordings_page import link_to_sessions

if TYPE_CHECKING:
    from airflow.sdk.bases.decorator import TaskDecorator


class ConversationLink(BaseOperatorLink):
    """The button “Conversation” of a merge; a task leaves its address as an XCom when it is over."""

    @property
    def name(self) -> str:
        """See `BaseOperatorLink.name`."""
        return "Conversation"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """See `BaseOperatorLink.get_link`; called in the task's own process, where its arguments are known."""
        return link_to_sessions(operator.op_kwargs["sessions"])


class MergeOperator(DecoratedOperator, PythonOperator):
    """What `@task` makes, with the link.

    https://airflow.apache.org/docs/apache-airflow/stable/howto/create-custom-decorator.html
    """

    template_fields = ("op_args", "op_kwargs")
    operator_extra_links = (ConversationLink(),)
    custom_operator_name = "@task"

    def __init__(self, *, python_callable: Callable[..., Any], op_args: Any, op_kwargs: Any, **kwargs: Any) -> None:
        arguments = {"python_callable": python_callable, "op_args": op_args, "op_kwargs": op_kwargs}
        super().__init__(kwargs_to_upstream=arguments, **arguments, **kwargs)


def merge_task(**kwargs: Any) -> TaskDecorator:
    """The decorator of a task that merges its argument `sessions`; takes what `@task` takes."""
    return task_decorator_factory(decorated_operator_class=MergeOperator, **kwargs)
