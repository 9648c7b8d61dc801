"""distance.py - a way to a server that takes time
SPDX-License-Identifier: MIT
"""

import asyncio
import threading


class Distance:
    """Listens on a free loopback port and forwards to `port`; whatever is sent arrives `delay` seconds later,
    in both directions."""

    def __init__(self, port, delay):
        self.port = None
        self._target = port
        self._delay = delay
        self._loop = asyncio.new_event_loop()
        self._listens = threading.Event()
        self._thread = threading.Thread(target=self._run, name="distance", daemon=True)

    def __enter__(self):
        self._thread.start()
        self._listens.wait()
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    def _run(self):
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        rest = asyncio.all_tasks(self._loop)
        for task in rest:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))
        self._loop.close()

    async def _serve(self):
        self._end = asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._listens.set()
        await self._end.wait()
        server.close()

    async def _accept(self, reader, writer):
        onward, outward = await asyncio.open_connection("127.0.0.1", self._target)
        await asyncio.gather(self._pass(reader, outward), self._pass(onward, writer), return_exceptions=True)

    async def _pass(self, reader, writer):
        while data := await reader.read(65536):
            self._loop.call_later(self._delay, writer.write, data)
        self._loop.call_later(self._delay, writer.close)
