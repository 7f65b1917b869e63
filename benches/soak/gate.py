"""A door in front of a server: while it is shut, connections through it are reset and new ones refused."""

import asyncio
import threading


class Gate:
    def __init__(self, port, upstream):
        self.port = port
        self.upstream = upstream
        self.writers = set()
        self.server = None
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def open(self):
        self.run(self.listen())

    def shut(self):
        self.run(self.reset())

    def run(self, work):
        asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def close(self):
        self.shut()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()

    async def listen(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port)

    async def reset(self):
        if self.server:
            self.server.close()
            self.server = None
        for writer in list(self.writers):
            writer.transport.abort()

    async def serve(self, reader, writer):
        try:
            upstream = await asyncio.open_connection("127.0.0.1", self.upstream)
        except OSError:
            writer.transport.abort()
            return
        self.writers |= {writer, upstream[1]}
        await asyncio.gather(self.carry(reader, upstream[1]), self.carry(upstream[0], writer))
        self.writers -= {writer, upstream[1]}

    @staticmethod
    async def carry(reader, writer):
        """What one side says to the other; its end, too."""
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()
