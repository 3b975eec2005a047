"""What of an exception could come to light."""

import traceback


def everything_shown(error: BaseException) -> str:
    """Text, repr, attributes and traceback of an error and its chain, and the variables of every frame of Voxlake."""
    parts = traceback.format_exception(error)
    link: BaseException | None = error
    while link is not None:
        parts += [str(link), repr(link), repr(vars(link))]
        trace = traceback.TracebackException.from_exception(link, capture_locals=True)
        parts += [repr(frame.locals) for frame in trace.stack if "/include/voxlake/" in frame.filename]
        link = link.__cause__ or link.__context__
    return "\n".join(parts)
