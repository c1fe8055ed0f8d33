"""Ctrl-C that is not lost.

Python raises KeyboardInterrupt wherever its main thread happens to be. Where that is in a library's bare `except:`, in
a callback of the garbage collector or in the end of a generator that nobody finished, it is swallowed there, and the
work goes on as if nothing had happened. Cython's extension modules do so while they are imported (imagecodecs'
codecs at the first tile of a TIFF, for one), and tifffile's generators when a level is complete. So what the user asked
for is noted, too, and long work looks at the note now and then.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_noted = threading.Event()


@contextmanager
def heeded() -> Iterator[None]:
    """Within the block, Ctrl-C is noted as well as raised; at its end, a note is raised that nobody took.

    In other threads than the main one, or where somebody else handles the signal, nothing changes.

    Raises:
        KeyboardInterrupt: if Ctrl-C was pressed in the block, however it ended.
    """
    is_ours = threading.current_thread() is threading.main_thread()
    if not is_ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    _noted.clear()
    signal.signal(signal.SIGINT, _note)
    try:
        yield
    except Exception as error:
        _raise_noted(error)
        raise
    else:
        _raise_noted(None)
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _noted.clear()


def check() -> None:
    """Raise a Ctrl-C that was swallowed since the block of `heeded` began; other threads than the main one go on.

    Raises:
        KeyboardInterrupt: if there was one.
    """
    if threading.current_thread() is threading.main_thread():
        _raise_noted(None)


def _note(number: int, frame: FrameType | None) -> None:
    _noted.set()
    raise KeyboardInterrupt


def _raise_noted(cause: Exception | None) -> None:
    if _noted.is_set():
        raise KeyboardInterrupt from cause
