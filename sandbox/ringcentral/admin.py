"""The sandbox's own pages under /sandbox: what it was asked, what is true, and what shall go wrong."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.ringcentral.audio import tone_of
from sandbox.ringcentral.faults import Fault
from sandbox.ringcentral.operations import json_response
from sandbox.ringcentral.state import State
from sandbox.ringcentral.timestamps import from_text, to_text
from sandbox.ringcentral.world import Truth


def truth_json(truth: Truth) -> dict[str, Any]:
    """The truth of a range as JSON."""
    return {
        "calls": [
            {
                "id": record.id,
                "telephonySessionId": record.telephony_session_id,
                "startTime": to_text(record.start_time),
                "durationMs": record.duration_ms,
                "type": record.type,
                "legs": len(record.legs),
                "recordingIds": [recording.id for recording in record.recordings],
            }
            for record in truth.calls
        ],
        "sessions": [
            {
                "telephonySessionId": session.telephony_session_id,
                "startTime": to_text(session.start_time),
                "endTime": to_text(session.end_time),
                "callIds": [record.id for record in session.records],
                "recordings": [
                    {
                        "id": recording.id,
                        "type": recording.type,
                        "startTime": to_text(recording.start_time),
                        "durationMs": recording.duration_ms,
                        "contentType": recording.content_type,
                        "toneHz": tone_of(recording.id),
                    }
                    for recording in session.recordings
                ],
            }
            for session in truth.sessions
        ],
        "conversations": [list(conversation) for conversation in truth.conversations],
    }


def routes(state: State) -> list[Route]:
    """The routes of both listeners."""

    def health(_: Request) -> Response:
        return json_response({"status": "ok", "now": to_text(state.clock.now()), "seed": state.config.seed})

    def requests(_: Request) -> Response:
        return json_response([entry.json() for entry in state.journal.entries()])

    def truth(request: Request) -> Response:
        now = state.clock.now()
        try:
            date_to = from_text(request.query_params.get("dateTo", now.isoformat()))
            date_from = from_text(request.query_params.get("dateFrom", (date_to - timedelta(days=1)).isoformat()))
        except ValueError as error:
            return json_response({"message": str(error)}, 400)
        return json_response(truth_json(state.world.truth(date_from, date_to, now)))

    def list_faults(_: Request) -> Response:
        return json_response([asdict(fault) for fault in state.faults.active()])

    async def add_fault(request: Request) -> Response:
        try:
            fault = Fault(**json.loads(await request.body()))
        except (ValueError, TypeError) as error:
            return json_response({"message": str(error)}, 400)
        state.faults.add(fault)
        return json_response(asdict(fault), 201)

    def clear_faults(_: Request) -> Response:
        state.faults.clear()
        return Response(status_code=204)

    def reset(_: Request) -> Response:
        state.reset()
        return Response(status_code=204)

    return [
        Route("/sandbox/health", health),
        Route("/sandbox/requests", requests),
        Route("/sandbox/truth", truth),
        Route("/sandbox/faults", list_faults, methods=["GET"]),
        Route("/sandbox/faults", add_fault, methods=["POST"]),
        Route("/sandbox/faults", clear_faults, methods=["DELETE"]),
        Route("/sandbox/reset", reset, methods=["POST"]),
    ]
